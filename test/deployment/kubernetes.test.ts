/**
 * `deploy/kubernetes`, as far as it can be tried without a cluster: what it says to Carillon is understood, and what the probes ask is
 * answered by a server with that configuration.
 */
import { expect, test } from "bun:test";
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { parseAllDocuments } from "yaml";
import { z } from "zod";
import manifest from "../../package.json" with { type: "json" };
import { loadConfig, toFile } from "../../src/dialects/configuration.ts";
import { imageEnvironment } from "../support/image.ts";
import { startRedis } from "../support/redis.ts";
import { spawnServer } from "../support/child-server.ts";

const FOLDER = join(import.meta.dir, "../../deploy/kubernetes");

const probe = z.object({ httpGet: z.object({ path: z.string(), port: z.string() }) });
const labels = z.record(z.string(), z.string());
const workload = z.object({
  spec: z.object({
    selector: z.object({ matchLabels: labels }),
    template: z.object({
      metadata: z.object({ labels }),
      spec: z.object({
        terminationGracePeriodSeconds: z.number(),
        containers: z.tuple([
          z.object({
            image: z.string(),
            args: z.array(z.string()),
            env: z.array(z.object({ name: z.string(), value: z.string() })).default([]),
            envFrom: z.tuple([z.object({ secretRef: z.object({ name: z.string() }) })]),
            ports: z.array(z.object({ name: z.string(), containerPort: z.number() })),
            startupProbe: probe,
            livenessProbe: probe,
            readinessProbe: probe,
            lifecycle: z.object({
              preStop: z.object({ exec: z.object({ command: z.array(z.string()) }) }),
            }),
            volumeMounts: z.array(z.object({ name: z.string(), mountPath: z.string() })),
          }),
        ]),
        volumes: z.array(z.object({ name: z.string() })),
      }),
    }),
    volumeClaimTemplates: z
      .array(z.object({ metadata: z.object({ name: z.string() }) }))
      .default([]),
  }),
});
const service = z.object({
  spec: z.object({ selector: labels, ports: z.array(z.object({ targetPort: z.string() })) }),
});
const budget = z.object({ spec: z.object({ selector: z.object({ matchLabels: labels }) }) });
const configMap = z.object({ data: z.object({ "carillon.toml": z.string() }) });

/** Each object of a file, by its kind. */
function read(name: string): readonly { readonly kind: string }[] {
  const documents = parseAllDocuments(readFileSync(join(FOLDER, name), "utf8"));
  return documents.map((document) => {
    expect([...document.errors, ...document.warnings]).toEqual([]);
    return z.looseObject({ apiVersion: z.string(), kind: z.string() }).parse(document.toJS());
  });
}

const WORKLOADS = {
  redis: { file: "redis/deployment.yaml", kind: "Deployment" },
  embedded: { file: "embedded/statefulset.yaml", kind: "StatefulSet" },
} as const;
type Engine = keyof typeof WORKLOADS;
const ENGINES = Object.keys(WORKLOADS) as Engine[];

function podOf(engine: Engine) {
  const { file, kind } = WORKLOADS[engine];
  const [object] = read(file);
  expect(object?.kind).toBe(kind);
  const { spec } = workload.parse(object);
  const pod = spec.template.spec;
  return { ...{ spec, pod }, labels: spec.template.metadata.labels, container: pod.containers[0] };
}

const toml = () => configMap.parse(read("base/config.yaml")[0]).data["carillon.toml"];

/** The Secret that the README has one make, with values in place of the commands. */
function secret(engine: Engine): Record<string, string> {
  const text = readFileSync(join(FOLDER, "README.md"), "utf8");
  const literals = [...text.matchAll(/--from-literal=(\w+)=(\S+)/g)];
  expect(literals.map(([, name]) => name)).toContain("CARILLON_MASTER_KEY");
  const pairs = literals.map(([, name = "", value = ""]) => [
    name,
    value.startsWith("$(") ? "0".repeat(64) : value,
  ]);
  const { CARILLON_REDIS_URL: url, ...others } = Object.fromEntries(pairs) as Record<
    string,
    string
  >;
  return engine === "redis" ? { ...others, CARILLON_REDIS_URL: url ?? "" } : others;
}

/** What the container's command makes of its file and environment. */
function configOf(engine: Engine) {
  const { args, env, volumeMounts } = podOf(engine).container;
  const [command, flag, path = ""] = args;
  expect([command, flag]).toEqual(["serve", "--config"]);
  expect(volumeMounts.map(({ mountPath }) => mountPath)).toContain(dirname(path));
  const own = env.map(({ name, value }) => [name, value] as const);
  return loadConfig({
    path,
    env: { ...imageEnvironment(), ...secret(engine), ...Object.fromEntries(own) },
    readFile: (name) => (name === path ? toml() : undefined),
  });
}

test.each(["base", "redis", "embedded"])("%s: the kustomization has each file", (folder) => {
  const name = `${folder}/kustomization.yaml`;
  const [object] = read(name);
  const { resources } = z.object({ resources: z.array(z.string()) }).parse(object);
  const files = readdirSync(join(FOLDER, folder)).filter((file) => file !== "kustomization.yaml");
  expect(resources.filter((resource) => resource !== "../base").toSorted()).toEqual(
    files.toSorted(),
  );
  for (const file of files) expect(read(`${folder}/${file}`).length).toBeGreaterThan(0);
});

test.each(ENGINES)(
  "%s: image, environment and file are a configuration with the pod's ports",
  (engine) => {
    const { container } = podOf(engine);
    expect(container.image).toEndWith(`/carillon:${manifest.version}`);
    const config = configOf(engine);
    expect(config).toMatchObject({ engine, workers: 1, data_dir: "/data" });
    expect(container.ports).toEqual([
      { name: "clients", containerPort: config.clients.port },
      { name: "api", containerPort: config.api.port },
    ]);
    expect([config.clients.host, config.api.host]).toEqual(["0.0.0.0", "0.0.0.0"]);
  },
);

test.each(ENGINES)("%s: a pod may take longer to end than its drain", (engine) => {
  const { pod, container } = podOf(engine);
  const [program, waits] = container.lifecycle.preStop.exec.command;
  expect(program).toBe("sleep");
  // A worker is killed 5 s after the timeout.
  const drainSeconds = Number(waits) + configOf(engine).shutdown.timeout / 1000 + 5;
  expect(pod.terminationGracePeriodSeconds).toBeGreaterThan(drainSeconds);
});

test.each(ENGINES)("%s: what is named is there", (engine) => {
  const { spec, pod, labels: own, container } = podOf(engine);
  expect(spec.selector.matchLabels).toEqual(own);
  const volumes = [...pod.volumes, ...spec.volumeClaimTemplates.map(({ metadata }) => metadata)];
  expect(container.volumeMounts.map(({ name }) => name).toSorted()).toEqual(
    volumes.map(({ name }) => name).toSorted(),
  );
  expect(container.volumeMounts.map(({ mountPath }) => mountPath)).toContain(
    String(imageEnvironment()["CARILLON_DATA_DIR"]),
  );
  const [disruption] = read(`${engine}/disruption.yaml`);
  expect(budget.parse(disruption).spec.selector.matchLabels).toEqual(own);
  const services = read("base/services.yaml").map((object) => service.parse(object).spec);
  expect(services.map(({ selector }) => selector)).toEqual([own, own]);
  expect(services.flatMap(({ ports }) => ports.map(({ targetPort }) => targetPort))).toEqual(
    container.ports.map(({ name }) => name),
  );
});

test.each(ENGINES)("%s: a server with it answers what the probes ask", async (engine) => {
  await using redis = engine === "redis" ? await startRedis() : undefined;
  const { startupProbe, livenessProbe, readinessProbe } = podOf(engine).container;
  const base = { ...toFile(configOf(engine), { redact: false }) };
  await using server = await spawnServer({
    base,
    config: redis === undefined ? {} : { redis: { url: redis.url } },
  });
  for (const { httpGet } of [startupProbe, livenessProbe, readinessProbe]) {
    expect(httpGet.port).toBe("api");
    const answer = await fetch(new URL(httpGet.path, server.apiUrl));
    expect(answer.status).toBe(200);
  }
  if (redis === undefined) return;
  // No pod takes connections without Redis, and none is restarted for it.
  await redis.kill();
  const ask = async ({ httpGet }: typeof livenessProbe) =>
    (await fetch(new URL(httpGet.path, server.apiUrl))).status;
  expect([await ask(livenessProbe), await ask(readinessProbe)]).toEqual([200, 503]);
});

/** `carillon init`: what it writes is what the programs take that it is for. */
import { expect, test } from "bun:test";
import { mkdtempSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parse as parseToml } from "smol-toml";
import { parse } from "yaml";
import { spawnServer } from "../../test/support/child-server.ts";
import type { Report } from "../doctor/index.ts";
import { carillon } from "./test-support.ts";

const FILES = ["Caddyfile", "carillon.service", "carillon.toml", "compose.yaml", "nginx.conf"];
const SITE = ["--domain", "push.example.org", "--origin", "https://example.org"];

function temporary(): { readonly path: string } & Disposable {
  const path = mkdtempSync(join(tmpdir(), "carillon-init-"));
  return { path, [Symbol.dispose]: () => rmSync(path, { recursive: true }) };
}

async function initialised(directory: string) {
  const { code, out, err } = await carillon(["init", directory, ...SITE, "--json"]);
  expect({ code, err }).toEqual({ code: 0, err: "" });
  return JSON.parse(out) as { readonly files: readonly string[]; readonly api_key: string };
}

const read = (directory: string, name: string) => readFileSync(join(directory, name), "utf8");

/** Where the program is installed, its own judgement. */
async function judge(command: readonly string[], cwd: string): Promise<void> {
  if (Bun.which(command[0] ?? "") === null) return;
  const run = Bun.spawn([...command], { cwd, stdout: "pipe", stderr: "pipe" });
  const [out, err] = await Promise.all([
    new Response(run.stdout).text(),
    new Response(run.stderr).text(),
  ]);
  const said = `${command.join(" ")}\n${out}${err}`;
  expect({ said, code: await run.exited }).toEqual({ said, code: 0 });
}

test("the configuration serves, and the doctor finds it healthy with the key that was shown", async () => {
  using directory = temporary();
  const { files, api_key: key } = await initialised(directory.path);
  expect(files.map((path) => path.slice(directory.path.length + 1)).toSorted()).toEqual(FILES);
  expect(readdirSync(directory.path).toSorted()).toEqual(FILES);
  const config = join(directory.path, "carillon.toml");
  expect(statSync(config).mode & 0o777).toBe(0o600);
  expect(readFileSync(config, "utf8")).not.toContain(key);
  const checked = await carillon(["config", "--config", config]);
  expect({ code: checked.code, err: checked.err }).toEqual({ code: 0, err: "" });
  expect(checked.out).toContain('allowed_origins = [ "https://example.org" ]');
  const base = parseToml(readFileSync(config, "utf8"));
  await using server = await spawnServer({ base });
  const doctor = ["doctor", server.clientsUrl, "--api", server.apiUrl, "--quick", "--json"];
  const examined = await carillon([...doctor, "--config", config, "--key", key]);
  const { findings, measured } = JSON.parse(examined.out) as Report;
  // The files that it may open are this machine's matter.
  expect(findings.filter(({ id }) => id !== "open-files")).toEqual([]);
  expect(measured).toMatchObject([{ dialect: "streaming", published: 13, lost: 0 }]);
});

test("what is there is not overwritten, and nothing is written beside it", async () => {
  using directory = temporary();
  writeFileSync(join(directory.path, "compose.yaml"), "mine");
  const { code, out, err } = await carillon(["init", directory.path]);
  expect({ code, out }).toEqual({ code: 1, out: "" });
  expect(err).toBe(
    `carillon: ${directory.path}/compose.yaml would be overwritten: remove them, or name another directory [command_usage]\n`,
  );
  expect(readdirSync(directory.path)).toEqual(["compose.yaml"]);
  expect(read(directory.path, "compose.yaml")).toBe("mine");
});

test("two runs have no secret in common", async () => {
  using directory = temporary();
  const [one, other] = [join(directory.path, "one"), join(directory.path, "other")];
  const keys = await Promise.all([initialised(one), initialised(other)]);
  expect(keys[0].api_key).not.toBe(keys[1].api_key);
  const secretOf = (path: string) =>
    /hmac_secret = "([0-9a-f]{64})"/.exec(read(path, "carillon.toml"))?.[1];
  expect(secretOf(one)).toHaveLength(64);
  expect(secretOf(one)).not.toBe(secretOf(other));
});

test("a domain or origin that is none is refused before anything is written", async () => {
  using directory = temporary();
  for (const [flag, value] of [
    ["--domain", "push.example.org; rm -rf"],
    ["--domain", "a\nb"],
    ["--origin", "example.org"],
    ["--origin", 'https://a"b'],
  ] as const) {
    const { code, err } = await carillon(["init", directory.path, flag, value]);
    expect(code).toBe(1);
    expect(err).toStartWith(`carillon: ${flag} must be `);
  }
  expect(readdirSync(directory.path)).toEqual([]);
});

test("each program takes its file", async () => {
  using directory = temporary();
  await initialised(directory.path);
  const at = directory.path;

  const { services } = parse(read(at, "compose.yaml")) as {
    services: {
      carillon: { environment: Record<string, string>; volumes: string[] };
      proxy: object;
    };
  };
  const { environment } = services.carillon;
  const config = join(at, "carillon.toml");
  const inContainer = await carillon(["config", "--config", config, "--json"], environment);
  expect(inContainer.err).toBe("");
  expect(JSON.parse(inContainer.out)).toMatchObject({
    ...{ data_dir: "/data", api: { host: "0.0.0.0", port: 9000 } },
    clients: { host: "0.0.0.0", port: 8000, trusted_proxies: ["172.16.0.0/12", "192.168.0.0/16"] },
  });

  await judge(["systemd-analyze", "verify", join(at, "carillon.service")], at);
  await judge(["caddy", "validate", "--config", "Caddyfile", "--adapter", "caddyfile"], at);
  // nginx reads the certificate as well.
  const fixtures = join(import.meta.dir, "../../test/fixtures/tls");
  const site = read(at, "nginx.conf")
    .replace(/\/etc\/letsencrypt.*fullchain/, `${fixtures}/cert`)
    .replace(/\/etc\/letsencrypt.*privkey/, `${fixtures}/key`);
  writeFileSync(join(at, "site.conf"), site);
  const temporaries = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
    .map((kind) => `${kind}_temp_path ${at}/${kind};`)
    .join(" ");
  const main = `pid ${at}/pid; error_log stderr; events {} http { access_log off; ${temporaries} include ${at}/site.conf; }`;
  writeFileSync(join(at, "main.conf"), main);
  await judge(["nginx", "-t", "-c", join(at, "main.conf")], at);
  expect(site).toContain("server_name push.example.org;");
  expect(read(at, "Caddyfile")).toContain("\npush.example.org {\n");
});

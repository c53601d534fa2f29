/** The commands of docs/moving-from-centrifugo.md, as they are printed, but for ports. */
import { afterAll, expect, test } from "bun:test";
import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import table from "../../src/moving/centrifugo/options.json" with { type: "json" };
import { temporaryDir } from "../support/server.ts";

const ROOT = join(import.meta.dir, "../..");
const MAIN = join(ROOT, "src/cli/main.ts");
const page = await Bun.file(join(ROOT, "docs/moving-from-centrifugo.md")).text();
const directory = temporaryDir();
afterAll(() => rmSync(directory, { recursive: true }));

const blocks = (language: string): string[] =>
  [...page.matchAll(new RegExp(`^\`\`\`${language}\\n(.*?)^\`\`\``, "gms"))].map(
    ([, text = ""]) => text,
  );

function run(script: string) {
  const npx = `npx() { shift; "${process.execPath}" "${MAIN}" "$@"; }\n`;
  return Bun.spawn(["bash", "-euc", npx + script], {
    cwd: directory,
    env: { PATH: process.env["PATH"] },
    stdout: "pipe",
    stderr: "pipe",
  });
}

async function ended(child: ReturnType<typeof run>) {
  const [out, err, code] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
    child.exited,
  ]);
  return { out, err, code };
}

test("the five steps, and the variables", async () => {
  const [translate = "", check = "", serve = "", subscribe = "", publish = "", variables = ""] =
    blocks("sh");
  writeFileSync(join(directory, "config.json"), blocks("json")[0] ?? "");
  expect(await ended(run(translate))).toEqual({ out: "", err: blocks("text")[0] ?? "", code: 0 });

  const checked = await ended(run(check));
  expect(checked).toMatchObject({ err: "", code: 0 });
  expect(checked.out).not.toContain("a-secret-that");

  // What is started last is `exec`: a signal reaches the server itself.
  const served = serve
    .replace("8001", "0")
    .replace("9001", "0")
    .replace("npx carillon", "exec npx");
  const command = served.replace("exec npx", `exec "${process.execPath}" "${MAIN}"`);
  const server = run(`export CARILLON_LOG_FORMAT=json ${command}`.replace("json ", "json;\n"));
  try {
    const port = await portOf(server.stdout);
    const here = (script: string) => script.replaceAll("127.0.0.1:8001", `127.0.0.1:${port}`);
    const subscriber = run(here(subscribe));
    await subscribed(port);
    const published = await ended(run(here(publish).replace("curl", "curl -s")));
    expect(JSON.parse(published.out)).toMatchObject({ result: { offset: 1 } });
    const received = await ended(subscriber);
    expect([received.code, JSON.parse(received.out)]).toEqual([0, { text: "Hello" }]);
  } finally {
    server.kill();
    await server.exited;
  }

  rmSync(join(directory, "carillon.toml"));
  const byVariables = await ended(run(variables));
  expect(byVariables).toMatchObject({ err: "", code: 0 });
  expect(Bun.TOML.parse(byVariables.out)).toMatchObject({
    channel: { namespaces: [{ name: "news", history_size: 100 }, { name: "chat" }] },
    signing_keys: [{ use: "streaming" }],
  });
}, 30_000);

/** Of the clients' listener, once it listens. */
async function portOf(stdout: ReadableStream<Uint8Array>): Promise<string> {
  let text = "";
  for await (const chunk of stdout) {
    text += Buffer.from(chunk).toString();
    const [, port] = /"clients":"http:\/\/0\.0\.0\.0:(\d+)"/.exec(text) ?? [];
    if (port !== undefined) return port;
  }
  throw new Error(`It never listened: ${text}`);
}

async function subscribed(port: string): Promise<void> {
  for (;;) {
    const answer = await fetch(`http://127.0.0.1:${port}/api/channels`, {
      method: "POST",
      headers: { "X-API-Key": "my-api-key" },
      body: "{}",
    });
    if (JSON.stringify(await answer.json()).includes("news:today")) return;
  }
}

test("every part of Centrifugo's configuration that has no counterpart is on the page", () => {
  const parts = table.v6.flatMap((group) => {
    if (!("none" in group) || "by" in group) return [];
    return group.table.split(" ").map((name) => name.split(".")[0]?.replace("[]", "") ?? "");
  });
  const named = new Set(parts);
  for (const whole of ["", "init", "dev", "node", "log", "broker", "controller", "map_broker"]) {
    named.delete(whole);
  }
  const missing = [...named].filter(
    (part) => !page.includes(part) && !(part.startsWith("uni_") && page.includes("`uni_…`")),
  );
  expect(missing).toEqual([]);
});

/** docs/go-live.md: its proxies are those of `carillon init`, and pass on sockets and who the client is. nginx takes what docs/operations.md adds. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { connect, createServer, type AddressInfo } from "node:net";
import { join } from "node:path";
import { deploymentFiles } from "../../src/init/files.ts";
import { systemRuntime } from "../../src/system-runtime.ts";
import { needProgram } from "../support/install-package.ts";
import { blocksOf, ROOT, runBlocks } from "../support/printed.ts";
import { bootServer, temporaryDir, type BootedServer } from "../support/server.ts";

const page = "docs/go-live.md";
const blocks = blocksOf(page, await Bun.file(join(ROOT, page)).text());
const printed = (name: string) => blocks.find((block) => block.name === name)?.text ?? "";
const made = deploymentFiles({ domain: "push.your.site" });
const TIMEOUT_MS = 60_000;

let server: BootedServer;
const directory = temporaryDir();
beforeAll(async () => {
  const clients = { port: 0, trusted_proxies: ["127.0.0.1"] };
  server = await bootServer({ runtime: systemRuntime, config: { clients } });
});
afterAll(async () => {
  await server[Symbol.asyncDispose]();
  rmSync(directory, { recursive: true });
});

test("the files are made, and checked", async () => {
  const [files, check] = blocks.filter(({ language }) => language === "sh");
  const outputs = await runBlocks([files!, check!], {
    server,
    replace: [
      // The site that it names is nobody's.
      [
        "https://push.your.site --config",
        `${server.clientsUrl} --api ${server.apiUrl} --quick --config`,
      ],
      ['--key "$KEY"', "--key dev-api-key || test $? -le 2"],
    ],
  });
  expect(outputs[0]).toContain("Wrote live/nginx.conf");
  expect(outputs[0]).toContain('allowed_origins = [ "https://your.site" ]');
});

/** One that was free a moment ago: neither program takes 0 and says which it got. */
async function freePort(): Promise<number> {
  const probe = createServer();
  await new Promise<void>((resolve) => probe.listen(0, "127.0.0.1", resolve));
  const { port } = probe.address() as AddressInfo;
  await new Promise((resolve) => probe.close(resolve));
  return port;
}

async function listens(port: number): Promise<void> {
  for (;;) {
    const { promise, resolve } = Promise.withResolvers<boolean>();
    const socket = connect(port, "127.0.0.1", () => resolve(true));
    socket.on("error", () => resolve(false));
    const open = await promise;
    socket.destroy();
    if (open) return;
  }
}

const TEMPORARIES = (at: string) =>
  ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
    .map((kind) => `${kind}_temp_path ${at}/${kind};`)
    .join(" ");

/** What the page prints, on `port` and in front of this server, as whole text and command line. */
const PROXIES = {
  nginx(port: number) {
    const at = join(directory, "nginx");
    mkdirSync(at);
    const tls = join(ROOT, "test/fixtures/tls");
    const site = printed("nginx 1")
      .replace("listen 443", `listen 127.0.0.1:${port}`)
      .replace("127.0.0.1:8000", new URL(server.clientsUrl).host)
      .replace(/\/etc\/letsencrypt.*fullchain/, `${tls}/cert`)
      .replace(/\/etc\/letsencrypt.*privkey/, `${tls}/key`);
    const main = `daemon off; master_process off; pid ${at}/pid; error_log stderr; events {} http { access_log off; ${TEMPORARIES(at)} ${site} }`;
    writeFileSync(join(at, "main.conf"), main);
    return { url: `https://127.0.0.1:${port}`, command: ["nginx", "-c", join(at, "main.conf")] };
  },
  caddy(port: number) {
    const file = join(directory, "Caddyfile");
    const site = printed("caddyfile 1")
      .replace("push.your.site", `http://127.0.0.1:${port}`)
      .replace("127.0.0.1:8000", new URL(server.clientsUrl).host)
      .replace("9000", new URL(server.apiUrl).port);
    writeFileSync(file, `{\n\tadmin off\n}\n${site}`);
    const command = ["caddy", "run", "--config", file, "--adapter", "caddyfile"];
    return { url: `http://127.0.0.1:${port}`, command };
  },
};

describe.each([
  ["nginx", "nginx-light", "nginx 1", "nginx.conf"],
  ["caddy", "caddy", "caddyfile 1", "Caddyfile"],
] as const)("%s", (name, aptPackage, block, file) => {
  test("is printed as `carillon init` makes it", () =>
    expect(printed(block)).toBe(made[file] ?? ""));

  test(
    "passes on a socket, and who the client is",
    async () => {
      const find = () => Bun.which(name) ?? undefined;
      needProgram({ what: name, find, aptPackage, elsewhere: `macOS: "brew install ${name}"` });
      const port = await freePort();
      const { url, command } = PROXIES[name](port);
      const proxy = Bun.spawn(command, {
        env: { ...process.env, XDG_DATA_HOME: directory, XDG_CONFIG_HOME: directory },
        stdout: "ignore",
        stderr: "ignore",
      });
      try {
        await listens(port);
        const socket = new WebSocket(`${url.replace("http", "ws")}/connection/websocket`, {
          headers: { "X-Forwarded-For": "203.0.113.9" },
          tls: { rejectUnauthorized: false },
        } as never);
        const answer = await new Promise((resolve, reject) => {
          socket.onopen = () => socket.send('{"id":1,"connect":{}}');
          socket.onmessage = ({ data }) => resolve(JSON.parse(String(data)));
          socket.onerror = () => reject(new Error("The proxy let no socket through"));
        });
        expect(answer).toMatchObject({ id: 1, connect: { client: expect.any(String) } });
        socket.close();
        const opened = server.logged.findLast(({ msg }) => msg === "Connection opened");
        // nginx adds the address that it sees, which is trusted; Caddy keeps none that it was sent.
        expect(opened?.["address"]).toBe(name === "nginx" ? "203.0.113.9" : "127.0.0.1");
      } finally {
        proxy.kill();
        await proxy.exited;
      }
    },
    TIMEOUT_MS,
  );
});

test("sessions of SockJS over HTTP find their machine by nginx", async () => {
  const operations = "docs/operations.md";
  const text = await Bun.file(join(ROOT, operations)).text();
  const [block] = blocksOf(operations, text).filter(({ language }) => language === "nginx");
  // Its nodes have names that nobody resolves here.
  const http = block?.text.replaceAll(/node\d/g, "127.0.0.1") ?? "";
  const file = join(directory, "sockjs.conf");
  const main = `pid ${directory}/pid; error_log stderr; events {} http { access_log off; ${TEMPORARIES(directory)} ${http} }`;
  writeFileSync(file, main);
  const judge = Bun.spawn(["nginx", "-t", "-c", file], { stdout: "ignore", stderr: "pipe" });
  expect(await new Response(judge.stderr).text()).toContain("test is successful");

  const pattern = /~(\S+)/.exec(block?.text ?? "")?.[1] ?? "";
  const session = new RegExp(pattern).exec("/messaging/000/abc123/xhr_streaming")?.[1];
  expect(session).toBe("abc123");
});

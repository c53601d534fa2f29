/** Each page that README and docs print runs in a browser as printed: only the server's address, which is another here, is put in. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { rmSync, symlinkSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { Glob } from "bun";
import { systemRuntime } from "../../src/system-runtime.ts";
import { developmentFile } from "../../src/dialects/configuration.ts";
import { useBrowser } from "../support/browser.ts";
import { until } from "../support/hostile.ts";
import { connect, tokenOf } from "../support/messaging.ts";
import { send } from "../support/messaging-auth.ts";
import { bootServer, temporaryDir, type BootedServer } from "../support/server.ts";
import { blocksOf } from "../support/printed.ts";
import { resultOf } from "../support/tasks-rpc.ts";
import { hs256 } from "../support/tokens.ts";

const ROOT = join(import.meta.dir, "../..");
const ORGANISATION = "org_26ZZVNs2QURl4yY6owPARekUbMa";
const TIMEOUT_MS = 30_000;

const browser = useBrowser();
let server: BootedServer;
let site: Site;
/** By `file, n-th page of it`. */
const snippets = new Map<string, string>();
const ran = new Set<string>();

beforeAll(async () => {
  for (const pattern of ["*.md", "docs/*.md", "clients/*/*.md", "src/dialects/*/*.md"]) {
    for (const file of new Glob(pattern).scanSync(ROOT)) {
      const text = await Bun.file(join(ROOT, file)).text();
      for (const [at, [, page = ""]] of [...text.matchAll(/^```html\n(.*?)^```/gms)].entries()) {
        snippets.set(`${file} ${at + 1}`, page);
      }
    }
  }
  server = await bootServer({ runtime: systemRuntime });
  site = await startSite();
});

afterAll(async () => {
  await site.close();
  await server[Symbol.asyncDispose]();
});

interface Site {
  readonly url: string;
  close(): Promise<void>;
}

/** What serves the page: itself, what npm installed, and the answers of the reader's backend, by path. */
let page = "";
const backend = new Map<string, string>();

async function startSite(): Promise<Site> {
  const built = temporaryDir();
  for (const client of ["tasks/task-client", "messaging/messaging-client"]) {
    const file = join(built, `${basename(client)}.js`);
    const build = ["build", `clients/${client}.ts`, "--outfile", file];
    const { exitCode } = Bun.spawnSync([process.execPath, ...build], { cwd: ROOT });
    expect(exitCode).toBe(0);
  }
  const listening = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    fetch(request) {
      const { pathname, search } = new URL(request.url);
      if (pathname === "/") return new Response(page, { headers: { "Content-Type": "text/html" } });
      if (pathname.endsWith("-client.js")) return new Response(Bun.file(join(built, pathname)));
      if (pathname.startsWith("/node_modules/")) {
        return new Response(Bun.file(join(ROOT, pathname)));
      }
      const answer = backend.get(pathname + search) ?? backend.get(pathname);
      return new Response(answer, { status: answer === undefined ? 404 : 200 });
    },
  });
  return {
    url: listening.url.href,
    async close() {
      await listening.stop(true);
      rmSync(built, { recursive: true });
    },
  };
}

function printed(name: string): string {
  const snippet = snippets.get(name);
  if (snippet === undefined) throw new Error(`There is no page "${name}"`);
  ran.add(name);
  return withAddress(snippet);
}

function withAddress(snippet: string): string {
  expect(snippet).toContain("127.0.0.1:8000");
  return snippet.replaceAll("127.0.0.1:8000", new URL(server.clientsUrl).host);
}

function openPage(name: string) {
  page = printed(name);
  return browser.open(site.url);
}

async function subscribed(channel: string): Promise<void> {
  await until(async () => {
    const { result } = await server.api("channels");
    return Object.keys(result?.["channels"] ?? {}).includes(channel);
  });
}

async function issueTask(): Promise<string> {
  const params = { Task: { send_offline_message: true } };
  const token = await resultOf(server, "get_envoy_token", params);
  backend.set("/client-token", String(token["client_token"]));
  return String(token["task_id"]);
}

async function completeTask(task_id: string, text: string): Promise<void> {
  await resultOf(server, "invoke_envoy", { task_id, message: btoa(text) });
}

/** Ends the connections that are in a channel, and has their clients come back. */
async function sendBack(channel: string): Promise<void> {
  const body = JSON.stringify({ channel, reconnect: true });
  const kick = await fetch(`${server.apiUrl}/admin/api/kick`, { method: "POST", body });
  expect(await kick.json()).toMatchObject({ matched: 1 });
}

test(
  "README: the client, from a file that is opened without a server",
  async () => {
    const folder = temporaryDir();
    symlinkSync(join(ROOT, "node_modules"), join(folder, "node_modules"));
    writeFileSync(join(folder, "page.html"), printed("README.md 1"));
    try {
      const { nextLine } = await browser.open(`file://${folder}/page.html`);
      await subscribed("public:news");
      await server.api("publish", { channel: "public:news", data: { text: "Hello" } });
      expect(await nextLine()).toBe("1 {text: Hello}");
    } finally {
      rmSync(folder, { recursive: true });
    }
  },
  TIMEOUT_MS,
);

test(
  "README: a task",
  async () => {
    const id = await issueTask();
    const { nextLine } = await openPage("README.md 2");
    await completeTask(id, "paid");
    expect(await nextLine()).toBe("paid");
  },
  TIMEOUT_MS,
);

test(
  "docs/connect-a-browser.md: streaming, which recovers",
  async () => {
    backend.set("/token", hs256({ sub: "u1" }));
    const { nextLine } = await openPage("docs/connect-a-browser.md 1");
    await subscribed("public:news");
    await server.api("publish", { channel: "public:news", data: { text: "Hello" } });
    expect(await nextLine()).toBe("{text: Hello}");
    await sendBack("public:news");
    await server.api("publish", { channel: "public:news", data: { text: "Again" } });
    expect(await nextLine()).toBe("{text: Again}");
  },
  TIMEOUT_MS,
);

test(
  "docs/moving-from-pusher.md, and the backend that it prints",
  async () => {
    const folder = temporaryDir();
    symlinkSync(join(ROOT, "node_modules"), join(folder, "node_modules"));
    const text = await Bun.file(join(ROOT, "docs/moving-from-pusher.md")).text();
    const [printedBackend] = blocksOf("docs/moving-from-pusher.md", text).filter(
      ({ language }) => language === "js",
    );
    writeFileSync(join(folder, "backend.mjs"), printedBackend?.text ?? "");
    Object.assign(process.env, {
      CARILLON_SECRET: developmentFile().signing_keys[0]?.hmac_secret,
      CARILLON_API: server.apiUrl,
      CARILLON_KEY: "dev-api-key",
    });
    try {
      const { token, trigger } = (await import(join(folder, "backend.mjs"))) as {
        token: (user: string, channel?: string) => Promise<string>;
        trigger: (channels: string | string[], event: string, data: unknown) => Promise<void>;
      };
      backend.set("/token", await token("42"));
      backend.set("/token?channel=%24public%3Aorders", await token("42", "$public:orders"));
      const { nextLine } = await openPage("docs/moving-from-pusher.md 1");
      await Promise.all(["public:news", "$public:orders"].map(subscribed));
      await trigger(["public:news", "$public:orders"], "other", {});
      await trigger("public:news", "created", { n: 1 });
      expect(await nextLine()).toBe("created {n: 1}");
      await trigger("$public:orders", "paid", { n: 2 });
      expect(await nextLine()).toBe("paid {n: 2}");
      await expect(trigger([], "created", {})).rejects.toThrow("bad request");
    } finally {
      for (const name of ["SECRET", "API", "KEY"]) delete process.env[`CARILLON_${name}`];
      backend.clear();
      rmSync(folder, { recursive: true });
    }
  },
  TIMEOUT_MS,
);

test(
  "docs/events.md",
  async () => {
    const iat = Math.floor(Date.now() / 1000);
    const issued = { iss: "http://127.0.0.1:9000", aud: "events", iat, exp: iat + 3600 };
    const who = { sub: "usr_26ZZVRrmnPTXTcZIuzXLZdnigLW", org_id: ORGANISATION };
    backend.set("/access-token", hs256({ ...issued, ...who, scope: "shipments:read" }));
    const automatic = `shipments:${ORGANISATION}`;
    const { nextLine } = await openPage("docs/events.md 1");
    await Promise.all([automatic, `${automatic}.shp_1`].map(subscribed));
    await server.api("publish", { channel: `${automatic}.shp_1`, data: 1 });
    expect(await nextLine()).toBe("1");
    await server.api("publish", { channel: automatic, data: 2 });
    expect(await nextLine()).toBe(`${automatic} 2`);
  },
  TIMEOUT_MS,
);

test(
  "docs/connect-a-browser.md: gusher, which comes back",
  async () => {
    const grant = { channels: ["news"], user_id: "42", app_key: "dev", remotes: {} };
    backend.set("/jwt", hs256({ gusher: grant }));
    const { nextLine } = await openPage("docs/connect-a-browser.md 2");
    for (const n of [1, 2]) {
      await subscribed("news");
      const body = new URLSearchParams({ data: `{"n":${n}}` });
      const url = `${server.apiUrl}/gusher/push/dev/news/notify`;
      expect((await fetch(url, { method: "POST", body })).status).toBe(200);
      expect(await nextLine()).toBe(`{n: ${n}}`);
      if (n === 1) await sendBack("news");
    }
  },
  TIMEOUT_MS,
);

test(
  "docs/messaging.md",
  async () => {
    using friend = await connect(server, "12025550102");
    await friend.ask({ type: "ping" });
    backend.set("/messaging-token", tokenOf("12025550101"));
    const { nextLine } = await openPage("docs/messaging.md 1");
    expect(await friend.nextOf("direct-message")).toMatchObject({ content: "Hello" });
    await friend.ask({ type: "direct-message", to: "12025550101", content: "Hi" });
    expect(await nextLine()).toBe("12025550102 Hi");
    await send(server, "revoke", { token: tokenOf("12025550101") });
    expect(await nextLine()).toBe("closed 4401");
  },
  TIMEOUT_MS,
);

test(
  "docs/connect-a-browser.md: tasks",
  async () => {
    const id = await issueTask();
    const { nextLine, page: opened } = await openPage("docs/connect-a-browser.md 3");
    await completeTask(id, "paid");
    expect(await nextLine()).toBe("paid");
    expect(await nextLine()).toBe("done");
    expect(await opened.title()).toMatch(/^\d+:\d\d$/);
  },
  TIMEOUT_MS,
);

test(
  "docs/connect-a-browser.md: messaging",
  async () => {
    using friend = await connect(server, "12025550102");
    await friend.ask({ type: "ping" });
    backend.set("/messaging-token", tokenOf("12025550103"));
    const { nextLine } = await openPage("docs/connect-a-browser.md 4");
    const hello = { from: "12025550103", content: "Hello" };
    expect(await friend.nextOf("direct-message")).toMatchObject(hello);
    await friend.ask({ type: "direct-message", to: "12025550103", content: "Hi" });
    expect(await nextLine()).toBe("12025550102 Hi");
    await send(server, "revoke", { token: tokenOf("12025550103") });
    expect(await nextLine()).toBe("closed 4401");
  },
  TIMEOUT_MS,
);

test(
  "docs/connect-a-browser.md: sora, which connects anew",
  async () => {
    const { nextLine } = await openPage("docs/connect-a-browser.md 5");
    expect(await nextLine()).toBe("switched");
    await sendBack("sora");
    expect(await nextLine()).toBe("abend 1012 RECONNECT");
    expect(await nextLine()).toBe("switched");
    const headers = { "x-sora-target": "Sora_20160711.PushChannel" };
    const body = '{"channel_id":"sora","data":{"spam":"egg"}}';
    expect((await fetch(server.apiUrl, { method: "POST", headers, body })).status).toBe(200);
    expect(await nextLine()).toBe('datachannel {"spam":"egg"}');
    const target = { "x-sora-target": "Sora_20151104.DisconnectChannel" };
    await fetch(server.apiUrl, { method: "POST", headers: target, body: '{"channel_id":"sora"}' });
    expect(await nextLine()).toBe("normal 1000 DISCONNECTED-API");
  },
  TIMEOUT_MS,
);

test(
  "docs/tasks.md",
  async () => {
    const id = await issueTask();
    const { nextLine, page: opened } = await openPage("docs/tasks.md 1");
    await completeTask(id, '{"state":"paid"}');
    expect(await nextLine()).toBe("{state: paid} true");
    expect(await opened.title()).toMatch(/^\d+:\d\d$/);
  },
  TIMEOUT_MS,
);

test(
  "clients/tasks/README.md",
  async () => {
    const id = await issueTask();
    const { nextLine } = await openPage("clients/tasks/README.md 1");
    await completeTask(id, '{"state":"paid"}');
    expect(await nextLine()).toBe("{state: paid}");
    expect(await nextLine()).toBe("completed");
  },
  TIMEOUT_MS,
);

test(
  "clients/messaging/README.md",
  async () => {
    const file = Bun.file(join(ROOT, "clients/messaging/README.md"));
    const [, script = ""] = /^```js\n(.*?)^```/ms.exec(await file.text()) ?? [];
    using friend = await connect(server, "12025550102");
    await friend.ask({ type: "ping" });
    backend.set("/messaging-token", tokenOf("12025550104"));
    page = `<script type="module">${withAddress(script)}</script>`;
    const { nextLine } = await browser.open(site.url);
    const hello = { from: "12025550104", content: "Hello" };
    expect(await friend.nextOf("direct-message")).toMatchObject(hello);
    await friend.ask({ type: "direct-message", to: "12025550104", content: "Hi" });
    expect(await nextLine()).toBe("12025550102 Hi");
  },
  TIMEOUT_MS,
);

test("no page was left out", () => {
  expect([...ran].toSorted()).toEqual([...snippets.keys()].toSorted());
});

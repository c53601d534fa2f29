/** What the playground's page may ask of the server, and that nobody else may. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { REQUEST_BYTES_MAX } from "../../src/playground/index.ts";
import { bootServer, type BootedServer } from "../support/server.ts";

let server: BootedServer;
let restarts = 0;
beforeAll(async () => {
  server = await bootServer({ restart: () => (restarts += 1) });
});
afterAll(() => server[Symbol.asyncDispose]());

interface Asking {
  readonly origin?: string | undefined;
  readonly site?: string;
  readonly host?: string;
}

async function ask(path: string, body: unknown, asking: Asking = {}) {
  const { origin = server.clientsUrl, site = "same-origin", host } = asking;
  const response = await fetch(`${server.clientsUrl}/playground/${path}`, {
    method: "POST",
    headers: {
      ...{ Origin: origin, "Sec-Fetch-Site": site },
      ...(host === undefined ? {} : { Host: host }),
    },
    body: typeof body === "string" ? body : JSON.stringify(body),
  });
  const text = await response.text();
  return { status: response.status, text };
}

const publish = (data: unknown) => ({
  path: "/api/publish",
  headers: { "X-API-Key": "dev-api-key" },
  body: JSON.stringify({ channel: "public:a", data }),
});

test("a call of the API is made as `api` would take it", async () => {
  const { status, text } = await ask("call", publish(1));
  expect(status).toBe(200);
  const answer = JSON.parse(text) as { readonly status: number; readonly body: string };
  expect(answer.status).toBe(200);
  expect(JSON.parse(answer.body)).toMatchObject({ result: { offset: 1 } });
  const { headers, ...bare } = publish(2);
  const refused = JSON.parse((await ask("call", { ...bare, headers: {} })).text);
  expect(refused).toMatchObject({ status: 401 });
  expect(headers).toBeDefined();
});

test.each(["streaming", "gusher", "messaging", "tasks", "access"])(
  "tokens for %s are those of `carillon token`",
  async (kind) => {
    const { status, text } = await ask("token", { kind, options: { user: "ada" } });
    expect([kind, status, text.slice(0, 10)]).toEqual([kind, 200, '{"token":"']);
  },
);

test("a token's options are its own", async () => {
  const wrong: readonly (readonly [unknown, string])[] = [
    [{ kind: "other", options: {} }, "There are no such tokens"],
    [{ kind: "messaging", options: {} }, '"user" is missing'],
    [{ kind: "gusher", options: { channel: "a" } }, '"channel" is of another type'],
    [{ kind: "streaming", options: { expires: "x" } }, "--expires must be"],
    [{ kind: "streaming", options: { user: 1 } }, "Invalid input"],
  ];
  for (const [body, words] of wrong) {
    const { status, text } = await ask("token", body);
    expect([status, text]).toEqual([400, expect.stringContaining(words)]);
  }
  // Of another server it asks none.
  const options = { user: "ada", url: "http://192.0.2.1/", key: "other" };
  expect(await ask("token", { kind: "messaging", options })).toMatchObject({ status: 200 });
});

test("what is no call makes none", async () => {
  for (const body of [
    ...["", "{", "null", "[]"],
    ...[{}, { ...publish(1), path: "api/publish" }, { ...publish(1), body: {} }],
    { ...publish(1), headers: { "a b": "c" } },
  ]) {
    expect([body, (await ask("call", body)).status]).toEqual([body, 400]);
  }
});

test("a request has its bound", async () => {
  const sized = (bytes: number) => {
    const empty = JSON.stringify(publish("")).length;
    return JSON.stringify(publish("x".repeat(bytes - empty)));
  };
  expect(sized(REQUEST_BYTES_MAX)).toHaveLength(REQUEST_BYTES_MAX);
  expect((await ask("call", sized(REQUEST_BYTES_MAX))).status).toBe(200);
  expect((await ask("call", sized(REQUEST_BYTES_MAX + 1))).status).toBe(413);
});

test("a page of another site, or of a name that leads here, may ask nothing", async () => {
  const { port } = new URL(server.clientsUrl);
  const foreign: readonly Asking[] = [
    { origin: "https://evil.example" },
    { origin: "null" },
    { origin: server.apiUrl },
    { site: "cross-site" },
    { site: "same-site" },
    { origin: `http://evil.example:${port}`, host: `evil.example:${port}` },
  ];
  for (const asking of foreign) {
    for (const [path, body] of [
      ["call", publish(1)],
      ["token", { kind: "streaming", options: {} }],
      ["restart", {}],
    ] as const) {
      expect([asking, path, (await ask(path, body, asking)).status]).toEqual([asking, path, 403]);
    }
  }
  const bare = await fetch(`${server.clientsUrl}/playground/restart`, { method: "POST" });
  expect(bare.status).toBe(403);
  expect((await fetch(`${server.clientsUrl}/playground/restart`)).status).toBe(404);
  await server.advance(1000);
  expect(restarts).toBe(0);
});

test("a restart follows its answer", async () => {
  expect(await ask("restart", {})).toEqual({ status: 202, text: "{}" });
  expect(restarts).toBe(0);
  await server.advance(1000);
  expect(restarts).toBe(1);
  await using other = await bootServer();
  const { clientsUrl: Origin } = other;
  const url = `${Origin}/playground/restart`;
  expect((await fetch(url, { method: "POST", headers: { Origin } })).status).toBe(409);
});

test("outside of development mode nothing of it is there", async () => {
  await using production = await bootServer({ config: { development: false } });
  const { clientsUrl: Origin } = production;
  for (const path of ["settings", "call", "token", "restart", "index.html"]) {
    for (const method of ["GET", "POST"]) {
      const url = `${Origin}/playground/${path}`;
      expect((await fetch(url, { method, headers: { Origin } })).status).toBe(404);
    }
  }
});

test("the page knows where each protocol's clients connect", async () => {
  const settings = (await (await fetch(`${server.clientsUrl}/playground/settings`)).json()) as {
    readonly sockets: readonly { readonly dialect: string }[];
  };
  expect(settings).toMatchObject({ app: "dev", apiUrl: server.apiUrl, canRestart: true });
  expect(settings.sockets.map(({ dialect }) => dialect).toSorted()).toEqual([
    ...["gusher", "messaging", "sora", "streaming", "tasks"],
  ]);
});

test("below an app's prefix it is that app's, and elsewhere nobody's", async () => {
  const apps = [{ id: "dev", path_prefix: "/shop", allowed_origins: ["*"] }];
  await using prefixed = await bootServer({ config: { apps } });
  const { clientsUrl: Origin, apiUrl } = prefixed;
  expect((await fetch(Origin)).status).toBe(404);
  const page = await fetch(`${Origin}/shop/`);
  const [, script = ""] = /src="([^"]+)"/.exec(await page.text()) ?? [];
  expect((await fetch(new URL(script, page.url))).status).toBe(200);
  const settings = (await (await fetch(`${Origin}/shop/playground/settings`)).json()) as {
    readonly sockets: readonly { readonly path: string }[];
  };
  expect(settings).toMatchObject({ app: "dev", apiUrl: `${apiUrl}/shop` });
  for (const { path } of settings.sockets) expect(path).toStartWith("/shop/");
  for (const [path, status] of [
    ["/shop/playground/token", 200],
    ["/playground/token", 400],
  ] as const) {
    const body = JSON.stringify({ kind: "messaging", options: { user: "ada" } });
    const asked = await fetch(Origin + path, { method: "POST", headers: { Origin }, body });
    expect([path, asked.status]).toEqual([path, status]);
  }
});

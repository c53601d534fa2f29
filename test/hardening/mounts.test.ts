/** Two apps told apart by a path prefix, in every dialect: below it there is its app alone; elsewhere a request may name either. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { hashApiKey } from "../../src/auth/api-keys.ts";
import { handshake } from "../support/raw-websocket.ts";
import { bootServer, type BootedServer } from "../support/server.ts";
import { hs256 } from "../support/tokens.ts";

const APPS = ["red", "blue"];
const ORG = "org_26ZZVNs2QURl4yY6owPARekUbMa";

let server: BootedServer;
beforeAll(async () => {
  server = await bootServer({
    config: {
      development: false,
      apps: [
        { id: "red", allowed_origins: ["https://red.example"] },
        { id: "blue", path_prefix: "/blue", allowed_origins: ["https://blue.example"] },
      ],
      api_keys: APPS.map((id) => ({ id, app: id, hash: hashApiKey(`key-${id}`) })),
      signing_keys: APPS.flatMap((app) =>
        ["streaming", "gusher", "tasks", "events-client"].map((use) => ({
          ...{ use, app, hmac_secret: `secret-${use}-${app}-long-enough-for-anybody` },
        })),
      ),
      channel: { without_namespace: { dialects: ["streaming", "gusher"] }, namespaces: [] },
      gusher: { enabled: true },
      tasks: { enabled: true },
      events: { enabled: true, issuer: "https://api.example" },
    },
  });
});
afterAll(() => server[Symbol.asyncDispose]());

const api = (path: string, app: string, init: RequestInit = {}) =>
  fetch(server.apiUrl + path, { ...init, headers: { "X-API-Key": `key-${app}` } });
const post = (body: string) => ({ method: "POST", body });

describe("on api", () => {
  test.each([
    ["/api/info", post("{}")],
    ["/rpc", post('{"id":1,"method":"nothing"}')],
    [`/events/status?organisation_id=${ORG}`, {}],
    [`/organisations/${ORG}/webhooks/source-addresses`, {}],
  ])("%s below the prefix takes its app's key alone", async (path, init) => {
    const status = async (prefix: string, app: string) =>
      (await api(prefix + path, app, init)).status;
    expect(await status("/blue", "red")).toBe(401);
    expect(await status("/blue", "blue")).not.toBe(401);
    expect(await status("/blue", "blue")).toBe(await status("", "blue"));
    expect(await status("", "red")).toBe(await status("", "blue"));
    expect(await status("/green", "red")).toBe(404);
  });

  test("gusher's master knows its app alone there", async () => {
    const blue = await api("/blue/gusher/blue/channels", "blue");
    expect([blue.status, await blue.json()]).toEqual([200, []]);
    // In this dialect an app that is none has no channels.
    expect((await api("/blue/gusher/red/channels", "red")).status).toBe(200);
    expect((await api("/gusher/red/channels", "red")).status).toBe(200);
  });
});

describe("on clients", () => {
  const jwt = (app: string) =>
    hs256({ gusher: { app_key: app } }, `secret-gusher-${app}-long-enough-for-anybody`);

  async function logIn(prefix: string, app: string) {
    const body = new URLSearchParams({ jwt: jwt(app) });
    const answer = await fetch(`${server.clientsUrl}${prefix}/gusher/auth`, {
      ...{ method: "POST", body },
    });
    const token = answer.ok ? ((await answer.json()) as { token: string }).token : "";
    return { status: answer.status, token };
  }

  const shakes = async (path: string, headers: Record<string, string> = {}) =>
    (await handshake(server.clientsUrl.replace("http", "ws") + path, { headers })).status;

  test("gusher logs in and connects its app's users alone below the prefix", async () => {
    expect((await logIn("/blue", "red")).status).toBe(401);
    expect((await logIn("/green", "red")).status).toBe(404);
    const red = await logIn("", "red");
    const blue = await logIn("/blue", "blue");
    expect((await logIn("", "blue")).status).toBe(200);
    expect(await shakes(`/blue/gusher/ws/blue?token=${blue.token}`)).toBe(101);
    expect(await shakes(`/gusher/ws/blue?token=${blue.token}`)).toBe(101);
    expect(await shakes(`/blue/gusher/ws/red?token=${red.token}`)).toBe(401);
    expect(await shakes(`/gusher/ws/red?token=${red.token}`)).toBe(101);
  });

  test("streaming and tasks are there as well, with the app's origins", async () => {
    for (const [prefix, own, other] of [
      ["", "red", "blue"],
      ["/blue", "blue", "red"],
    ] as const) {
      const of = (app: string) => ({ origin: `https://${app}.example` });
      expect(await shakes(`${prefix}/connection/websocket`, of(own))).toBe(101);
      expect(await shakes(`${prefix}/connection/websocket`, of(other))).toBe(403);
      for (const path of ["", "/", "/tasks"]) {
        if (prefix + path !== "") expect(await shakes(prefix + path)).toBe(101);
      }
    }
    expect(await shakes("/green/connection/websocket")).toBe(404);
  });

  test("events tells pages of the app's origins alone that they may read", async () => {
    const allowed = async (prefix: string, app: string) => {
      const url = `${server.clientsUrl}${prefix}/events/connection_token`;
      const headers = { Origin: `https://${app}.example` };
      const { headers: answered } = await fetch(url, { method: "OPTIONS", headers });
      return answered.has("access-control-allow-origin");
    };
    expect(await allowed("/blue", "blue")).toBe(true);
    expect(await allowed("/blue", "red")).toBe(false);
    // Any app's token may come here.
    expect(await allowed("", "red")).toBe(true);
    expect(await allowed("", "blue")).toBe(true);
  });
});

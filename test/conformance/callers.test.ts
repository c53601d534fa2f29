/** Whose calls are served, whichever dialect is asked (DESIGN.md §5): pages of other sites, and keys with an organisation. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { api_keys, keyed, post, PRODUCTION, type Headers } from "../support/callers.ts";
import { bootEvents, ORG, OTHER_ORG } from "../support/events.ts";
import type { StreamingServer } from "../support/streaming.ts";

describe("a browser's request for another site, where no key is asked for", () => {
  let server: StreamingServer;
  beforeAll(async () => {
    const apps = [{ id: "dev", allowed_origins: ["*", "https://*.shop.example"] }];
    server = await bootEvents({ config: { apps, api_keys } });
  });
  afterAll(() => server[Symbol.asyncDispose]());

  const RPC = '{"id":1,"method":"get_envoy_token","params":{"Task":{}}}';
  const FORM = "application/x-www-form-urlencoded";
  const ROUTES = [
    ["POST", "/gusher/push/dev/news/e", "data=1", FORM],
    ["POST", "/gusher/push/dev/news/e", '{"data":1}', "application/json"],
    ["POST", "/api/push/user/dev/12", "data=1", FORM],
    ["POST", "/gusher/jobs/dev/chat/take", "", "text/plain"],
    ["POST", "/gusher/decode", "data=x", FORM],
    ["GET", "/gusher/dev/channels", undefined, undefined],
    ["GET", "/dev/online", undefined, undefined],
    ["POST", "/rpc", RPC, "text/plain"],
    ["POST", "/", RPC, "application/json"],
    ["POST", "/api", RPC, "text/plain"],
    ["GET", "/metrics", undefined, undefined],
    // Everybody knows the development key, so that it is as good as none.
    ["POST", "/api/publish?api_key=dev-api-key", '{"channel":"news","data":1}', "text/plain"],
    ["POST", "/gusher/push/dev/news/e?api_key=dev-api-key", "data=1", FORM],
    ["POST", "/rpc?api_key=dev-api-key", RPC, "text/plain"],
    ["GET", "/metrics?api_key=dev-api-key", undefined, undefined],
  ] as const;
  type Route = readonly [string, string, string | undefined, string | undefined];

  const statusOf = async ([method, path, body, type]: Route, headers: Headers): Promise<number> => {
    const answer = await fetch(server.apiUrl + path, {
      method,
      headers: { ...headers, ...(type === undefined ? {} : { "Content-Type": type }) },
      ...(body === undefined ? {} : { body }),
    });
    await answer.text();
    return answer.status;
  };

  test.each(ROUTES)("%s %s (%s, %s)", async (method, path, body, type) => {
    const route = [method, path, body, type] as const;
    const host = new URL(server.apiUrl).host;
    const foreign: Headers[] = [
      { "Sec-Fetch-Site": "cross-site" },
      { "Sec-Fetch-Site": "cross-site", Origin: "https://eu.shop.example" },
      { Origin: "https://evil.example" },
      { Origin: "null" },
      { Origin: "https://shop.example.evil.example" },
      { Origin: "http://localhost:1" },
    ];
    for (const headers of foreign) {
      expect([headers, await statusOf(route, headers)]).toEqual([headers, 403]);
    }
    const own: Headers[] = [
      {},
      { "Sec-Fetch-Site": "same-origin", Origin: `http://${host}` },
      { "Sec-Fetch-Site": "same-site", Origin: "https://eu.shop.example" },
      { "Sec-Fetch-Site": "none" },
    ];
    for (const headers of own) {
      expect([headers, await statusOf(route, headers)]).not.toEqual([headers, 403]);
    }
  });

  test("is told and logged why; a key of one's own is as good from a browser as from anywhere", async () => {
    const headers = { Origin: "https://evil.example" };
    const push = (more: Headers) =>
      post(`${server.apiUrl}/gusher/push/dev/news/e?data=1`, "", { ...headers, ...more });
    expect((await push({})).text).toContain("allowed_origins");
    expect((await push({ "X-API-Key": "gusher" })).status).toBe(200);
    const rpc = await post(`${server.apiUrl}/rpc`, RPC, headers);
    expect(JSON.parse(rpc.text).error.code).toBe(-32002);
    for (const dialect of ["gusher", "tasks"]) {
      const detail = expect.stringContaining("allowed_origins") as string;
      expect(server.logged).toContainEqual(expect.objectContaining({ dialect, detail }));
    }
  });
});

describe("an API key with an organisation", () => {
  const CALLS = [
    ["/api/publish", `{"channel":"shipments:${OTHER_ORG}","data":1}`],
    ["/api/publish", `{"channel":"shipments:${ORG}","data":1}`],
    ["/api/channels", "{}"],
    ["/api/disconnect", '{"user":"12"}'],
    ["/api", '{"method":"info","params":{}}'],
    ["/gusher/push/dev/news/e?data=1", ""],
    ["/gusher/jobs/dev/chat/take", ""],
    ["/rpc", '{"id":1,"method":"get_envoy_token","params":{"Task":{}}}'],
  ] as const;

  test.each([
    ["on loopback", { api_keys }],
    ["elsewhere", { ...PRODUCTION, tasks: { enabled: true } }],
  ])("is refused outside of events and webhooks: %s", async (_name, config) => {
    await using server = await bootEvents({ config, events: { enabled: true } });
    for (const [path, body] of CALLS) {
      for (const headers of [
        keyed("confined"),
        { Authorization: "Bearer confined" },
      ] as Headers[]) {
        const { status } = await post(server.apiUrl + path, body, headers);
        expect([path, status]).toEqual([path, 401]);
      }
    }
    const metrics = await fetch(`${server.apiUrl}/metrics`, { headers: keyed("confined") });
    expect([metrics.status, await metrics.text()]).toEqual([
      401,
      expect.stringContaining("one organisation"),
    ]);
  });

  test("acts for that organisation there", async () => {
    await using server = await bootEvents({ config: { api_keys } });
    const event = { type: "shipment.updated", resource: "shipments", data: {} };
    const call = (path: string, body: object) =>
      post(`${server.apiUrl}${path}`, JSON.stringify(body), keyed("confined"));
    expect((await call("/events/publish", event)).status).toBe(202);
    const other = await call("/events/publish", { ...event, organisation_id: OTHER_ORG });
    expect(other.status).toBe(403);
  });
});

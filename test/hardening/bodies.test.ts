/** What is decided by a request's head, before or instead of its body, on every dialect's routes. */
import { describe, expect, test } from "bun:test";
import { connect } from "node:net";
import { exchange } from "../support/hostile.ts";
import { hostileServer } from "../support/hostile-server.ts";
import { connectRaw } from "../support/raw-websocket.ts";

const server = hostileServer();

const KEY = { "X-API-Key": "dev-api-key" };
const ORG = "org_26ZZVNs2QURl4yY6owPARekUbMa";

const api = (method: string, path: string, init: RequestInit = {}) =>
  fetch(server().apiUrl + path, { method, headers: KEY, ...init });

describe("the host is never part of the path", () => {
  test.each(["apiUrl", "clientsUrl"] as const)("on %s", async (listener) => {
    for (const host of ["x/metrics?", "x/metrics#", "x\r\nHost: y"]) {
      const sent = `GET /health HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`;
      const answer = await exchange(server()[listener], sent);
      expect(answer).toStartWith("HTTP/1.1 400 ");
      expect(answer).not.toContain("carillon_");
    }
  });
});

describe("a wrong method is 405, and Allow says which are right", () => {
  test.each([
    ...["/health", "/ready", "/metrics", "/openapi.json"].map((path) => [
      "POST",
      path,
      "GET, HEAD",
    ]),
    ["GET", "/api/publish", "POST"],
    ["PUT", "/api", "POST"],
    ["GET", "/rpc", "POST"],
    ["DELETE", "/events/publish", "POST"],
    ["PUT", "/events/connection_token", "GET, POST"],
    ["POST", "/.well-known/jwks.json", "GET"],
    ["PUT", `/organisations/${ORG}/webhooks/endpoints`, "GET, HEAD, POST"],
    ["GET", "/gusher/push/dev", "POST"],
    ["POST", "/gusher/dev/channels", "GET"],
    ["POST", "/dev/online", "GET"],
  ])("%s %s on api: %s", async (method, path, allow) => {
    const answer = await api(method, path);
    expect([answer.status, answer.headers.get("allow")]).toEqual([405, allow]);
  });

  test.each([
    ["PUT", "/events/subscription_token", "GET, POST"],
    ["GET", "/gusher/auth", "POST"],
    ["POST", "/gusher/ping", "GET"],
  ])("%s %s on clients: %s", async (method, path, allow) => {
    const answer = await fetch(server().clientsUrl + path, { method });
    expect([answer.status, answer.headers.get("allow")]).toEqual([405, allow]);
  });
});

/** The first line of the answer to a head whose body never comes. */
async function judged(url: string, path: string, ...headers: string[]): Promise<string> {
  const head = [`POST ${path} HTTP/1.1`, "Host: localhost", ...headers, "", ""].join("\r\n");
  const answer = await exchange(url, head, { until: "\r\n\r\n" });
  return answer.split("\r\n")[0] ?? "";
}

describe("before the body is read", () => {
  const BODY = "Content-Length: 1000";
  test.each([
    ["/api/publish", "X-API-Key: wrong"],
    ["/api/batch", ""],
    ["/events/publish", "X-API-Key: wrong"],
    ["/events/publish/batch", "X: y"],
    ["/webhooks/endpoints", "Authorization: Bearer wrong"],
  ])("a caller of %s with %p is refused", async (path, header) => {
    const headers = header === "" ? [BODY] : [BODY, header];
    expect(await judged(server().apiUrl, path, ...headers)).toContain(" 401 ");
  });

  const AS_KEY = "X-API-Key: dev-api-key";
  test.each([
    ["/api/publish", 524_289],
    ["/events/publish", 524_289],
    ["/events/publish/batch", 524_289],
    ["/events/provision", 16_385],
    ["/webhooks/endpoints?organisation_id=org_26ZZVNs2QURl4yY6owPARekUbMa", 65_537],
    ["/rpc", 262_145],
  ])("one to %s that says it has %d bytes is 413", async (path, bytes) => {
    const length = `Content-Length: ${bytes}`;
    expect(await judged(server().apiUrl, path, AS_KEY, length)).toContain(" 413 ");
  });

  test("a login that says it has more than a login has is answered by its query alone", async () => {
    const { clientsUrl } = server();
    expect(await judged(clientsUrl, "/gusher/auth", "Content-Length: 65537")).toContain(" 401 ");
    expect(await judged(clientsUrl, "/gusher/auth", "Content-Length: 9000000")).toContain(" 413 ");
    const path = "/events/connection_token";
    const token = "Authorization: Bearer x";
    expect(await judged(clientsUrl, path, token, "Content-Length: 9")).toContain(" 401 ");
  });
});

describe("a compressed body is 415", () => {
  const packed = Bun.gzipSync(Buffer.from("{}"));
  test.each([
    ...["/api/info", "/api", "/rpc", "/events/publish", "/gusher/push/dev/a/b"],
    `/organisations/${ORG}/webhooks/endpoints`,
  ])("on %s", async (path) => {
    const headers = { ...KEY, "Content-Encoding": "gzip", "Content-Type": "application/json" };
    expect((await api("POST", path, { headers, body: packed })).status).toBe(415);
  });

  test("on clients", async () => {
    const init = { method: "POST", headers: { "Content-Encoding": "gzip" }, body: packed };
    expect((await fetch(`${server().clientsUrl}/gusher/auth`, init)).status).toBe(415);
  });
});

describe("a call that lost its body is 400", () => {
  const WEBHOOKS = `/organisations/${ORG}/webhooks`;
  test.each([
    ...["batch", "broadcast", "channels", "disconnect", "history", "history_remove", "info"],
    ...["presence", "presence_stats", "publish", "refresh", "subscribe", "unsubscribe"],
  ])("streaming's %s", async (method) => {
    expect((await api("POST", `/api/${method}`)).status).toBe(400);
    expect((await api("POST", `/api/${method}`, { body: " \n" })).status).toBe(400);
  });

  test.each([
    ["POST", "/api"],
    ["POST", "/rpc"],
    ["POST", "/events/publish"],
    ["POST", "/events/publish/batch"],
    ["POST", "/events/revoke"],
    ["POST", `/events/revoke?organisation_id=${ORG}`],
    ["POST", `${WEBHOOKS}/endpoints`],
    ["PATCH", `${WEBHOOKS}/endpoints/ep_1`],
    ["POST", `${WEBHOOKS}/endpoints/ep_1/secret/rotate`],
    ["POST", `${WEBHOOKS}/endpoints/ep_1/recover`],
    ["POST", `${WEBHOOKS}/endpoints/ep_1/replay-missing`],
    ["POST", `${WEBHOOKS}/dead-letters/replay`],
    ["POST", `${WEBHOOKS}/dead-letters/discard`],
    ["POST", "/gusher/push/dev"],
    ["POST", "/gusher/push/dev/a/b"],
    ["POST", "/gusher/push_batch/dev"],
    ["POST", "/gusher/reload/channel/user/dev/u"],
    ["POST", "/gusher/add/channel/user/dev/u"],
    ["POST", "/gusher/jobs/dev/remote/done"],
    ["POST", "/gusher/decode"],
  ])("%s %s", async (method, path) => {
    expect((await api(method, path)).status).toBe(400);
  });

  test("and what needs none does without", async () => {
    const made = await api("POST", `${WEBHOOKS}/endpoints/ep_1/test`);
    expect(made.status).toBe(404);
  });
});

test("a message whose end does not come is bounded by what a message may have", async () => {
  for (const path of ["/connection/websocket", "/tasks"]) {
    const client = await connectRaw(server().clientsUrl.replace("http", "ws") + path);
    for (let sent = 0; sent < 65; sent += 1) {
      client.sendFrame(sent === 0 ? 1 : 0, Buffer.alloc(32_768, 97), { final: false });
    }
    const frames = await client.rest();
    expect(frames.findLast(({ opcode }) => opcode === 8)?.code).toBe(1009);
    client.destroy();
    await client.gone;
  }
});

test("a refusal reaches a caller that is still sending", async () => {
  const socket = connect(Number(new URL(server().apiUrl).port), "127.0.0.1");
  const head = "POST /api/publish HTTP/1.1\r\nHost: localhost\r\nX-API-Key: dev-api-key\r\n";
  socket.write(`${head}Content-Length: 30000000\r\n\r\n`);
  socket.write(Buffer.alloc(30_000_000, 32));
  let answer = "";
  socket.on("data", (chunk: Buffer) => (answer += chunk.toString()));
  await new Promise<void>((resolve, reject) => socket.on("close", resolve).on("error", reject));
  expect(answer).toStartWith("HTTP/1.1 413 ");
  expect(answer).toEndWith("The body is too large\n");
});

describe("JSON of very many members is refused, whatever it would cost to look at each", () => {
  const many = (count: number) =>
    Array.from({ length: count }, (_, index) => `"k${index}":"1"`).join(",");
  test.each([
    ["of the request", (count: number) => `{"channel":"public:m","data":1,${many(count - 2)}}`],
    ["of a member", (count: number) => `{"channel":"public:m","data":1,"tags":{${many(count)}}}`],
  ])("%s", async (_, body) => {
    const answer = async (count: number) =>
      (await api("POST", "/api/publish", { body: body(count) })).json();
    expect(await answer(10_000)).toHaveProperty("result");
    expect(await answer(10_001)).toMatchObject({ error: { code: 107 } });
  });

  test("of the data is not: it is never looked into", async () => {
    const body = `{"channel":"public:m","data":{${many(30_000)}}}`;
    expect(await (await api("POST", "/api/publish", { body })).json()).toHaveProperty("result");
  });

  test("of an event", async () => {
    const send = async (count: number) => {
      const body = `{"type":"a","organisation_id":"${ORG}","streaming":false,"data":{},${many(count - 4)}}`;
      return (await api("POST", "/events/publish", { body })).status;
    };
    expect(await send(1_000)).toBe(202);
    expect(await send(1_001)).toBe(400);
  });
});

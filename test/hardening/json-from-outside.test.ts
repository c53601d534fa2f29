/** JSON of callers, in every dialect's API: a member called `__proto__` is kept or refused, and a number that no double holds is refused. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { API_KEY, ask, bootEvents, codeOf, ORG } from "../support/events.ts";
import { connectClient, type StreamingServer } from "../support/streaming.ts";
import { failureOf, postRpc } from "../support/tasks-rpc.ts";

let server: StreamingServer;
beforeAll(async () => {
  server = await bootEvents({
    config: {
      channel: {
        without_namespace: {
          ...{ dialects: ["streaming", "gusher"], allow_subscribe_for_client: true },
          ...{ allow_subscribe_for_anonymous: true, allow_publish_for_client: true },
          allow_publish_for_anonymous: true,
        },
      },
      gusher: { enabled: true },
      tasks: { enabled: true },
    },
  });
});
afterAll(() => server[Symbol.asyncDispose]());

const PROTO = '{"__proto__":{"a":9007199254740993}}';
const HUGE: readonly [name: string, text: string][] = [
  ["1e400", "1e400"],
  ["-1E+999", "-1E+999"],
  ["of 400 digits", "9".repeat(400)],
];

const JSON_TYPE = { "Content-Type": "application/json" };
const post = (path: string, body: string, headers = JSON_TYPE) =>
  ask(server, path, { method: "POST", headers: { ...API_KEY, ...headers }, body });

const event = (more: string) =>
  `{"type":"a.b","organisation_id":"${ORG}","resource":"shipments",${more}}`;

describe("a member called __proto__", () => {
  test("in a payload arrives as it was sent, from every API", async () => {
    using client = await connectClient(server);
    await client.ask({ subscribe: { channel: "room" } });
    await post("/api/publish", `{"channel":"room","data":${PROTO}}`);
    expect((await client.raw.next()).text).toContain(`"data":${PROTO}`);
    const form = { "Content-Type": "application/x-www-form-urlencoded" };
    await post("/gusher/push/dev/room/e", `data=${encodeURIComponent(PROTO)}`, form);
    expect((await client.raw.next()).text).toContain(`"data":${PROTO}`);
    const channel = `status:${ORG}`;
    await client.ask({ subscribe: { channel } });
    const status = event(`"data":${PROTO}`).replace("shipments", "status");
    expect((await post("/events/publish", status)).status).toBe(202);
    expect((await client.raw.next()).text).toContain(`"data":${PROTO}`);
  });

  test("lends its members to no request", async () => {
    const inherited = `{"__proto__":${event('"data":{}')},"data":{}}`;
    expect(codeOf(await post("/events/publish", inherited))).toBe("invalid_request");
    const batch = await post("/events/publish/batch", `[${inherited}]`);
    expect(batch.text).toContain('"invalid_request"');
    const rpc = await postRpc(server, '{"__proto__":{"method":"get_envoy_token"},"id":1}');
    expect(failureOf(rpc)[0]).toBe(-32600);
  });

  test.each([
    ["/events/connection_token", "", '{"__proto__":{"verbose":"1"}}'],
    [
      "/webhooks/endpoints",
      `?organisation_id=${ORG}`,
      '{"url":"http://127.0.0.1:9/","headers":{"__proto__":"x"}}',
    ],
    [
      "/webhooks/endpoints",
      `?organisation_id=${ORG}`,
      '{"url":"http://127.0.0.1:9/","metadata":{"\\u005f_proto__":"x"}}',
    ],
  ])("where it would be lost is refused: %s%s %s", async (path, query, body) => {
    const refused = await post(path + query, body);
    expect([refused.status, codeOf(refused)]).toEqual([400, "invalid_request"]);
    expect(refused.text).toContain("__proto__");
  });

  test("in the query is no flag", async () => {
    for (const name of ["__proto__", "constructor", "toString"]) {
      const answer = await ask(server, `/events/connection_token?verbose=${name}`);
      expect([name, answer.status, codeOf(answer)]).toEqual([name, 400, "invalid_request"]);
    }
  });
});

describe.each(HUGE)("the number %s", (_name, number) => {
  test("is refused by streaming's API", async () => {
    expect((await post("/api/publish", `{"channel":"room","data":[${number}]}`)).status).toBe(400);
    expect((await post("/api/info", `{"x":${number}}`)).status).toBe(400);
  });

  test("is refused of a client that publishes it, whose connection goes on", async () => {
    using client = await connectClient(server);
    for (const channel of ["room", "hall"]) {
      client.send(`{"id":9,"publish":{"channel":"${channel}","data":{"n":${number}}}}`);
      const { text } = await client.raw.next();
      expect(JSON.parse(text)).toMatchObject({ id: 9, error: { code: 107 } });
    }
  });

  test("is refused by the events and webhooks APIs", async () => {
    for (const [path, body] of [
      ["/events/publish", event(`"data":{"n":${number}}`)],
      ["/events/publish/batch", `[${event(`"data":{"n":${number}}`)}]`],
      ["/events/connection_token", `{"x":${number}}`],
      [`/webhooks/endpoints?organisation_id=${ORG}`, `{"url":"x","rate_limit":${number}}`],
    ] as const) {
      const refused = await post(path, body);
      expect([path, refused.status, codeOf(refused)]).toEqual([path, 400, "invalid_request"]);
    }
  });

  test("is refused by tasks' API, as an id too", async () => {
    const method = '"method":"get_envoy_token"';
    const timeout = await postRpc(server, `{${method},"params":{"Task":{"timeout":${number}}}}`);
    expect(failureOf(timeout)[0]).toBe(-32602);
    const context = `{${method},"params":{"Task":{"task_context":{"a":${number}}}}}`;
    expect(failureOf(await postRpc(server, context))[0]).toBe(-32602);
    const id = await postRpc(server, `{"id":${number},${method},"params":{"Task":{}}}`);
    expect(failureOf(id)[0]).toBe(-32600);
  });

  test("is refused in gusher's batches, and text in its data fields", async () => {
    using client = await connectClient(server);
    await client.ask({ subscribe: { channel: "room" } });
    const form = { "Content-Type": "application/x-www-form-urlencoded" };
    const batch = `[{"channel":"room","event":"e","data":${number}}]`;
    const refused = await post("/gusher/push_batch/dev", `batch_data=${batch}`, form);
    expect(refused.status).toBe(400);
    await post("/gusher/push/dev/room/e", `data=${encodeURIComponent(number)}`, form);
    expect((await client.raw.next()).text).toContain(`"data":${JSON.stringify(number)}`);
  });
});

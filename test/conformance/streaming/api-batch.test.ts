/** Several server API calls in one, and what a node tells of itself (centrifugo-protocol.md §17). */
import { describe, expect, test } from "bun:test";
import packageJson from "../../../package.json" with { type: "json" };
import {
  API_KEY as KEY,
  bootStreaming,
  callApi as call,
  connectClient,
  HISTORY,
  OPEN,
  subscribed,
} from "../../support/streaming.ts";

describe("several in one", () => {
  test("batch: replies in the order of commands, each with its own error", async () => {
    await using server = await bootStreaming({ namespaces: [{ name: "kept", ...HISTORY }] });
    const commands = [
      { publish: { channel: "kept:a", data: 1 } },
      { publish: { channel: "none:a", data: 1 } },
      { presence: { channel: "kept:a" } },
      { none: {} },
      { broadcast: { channels: ["kept:b", "none:b"], data: 1 } },
      { channels: {} },
      {},
    ];
    const { body } = await call(server, {
      ...{ path: "/api/batch", headers: KEY, body: JSON.stringify({ commands }) },
    });
    const published = { offset: 1, epoch: expect.any(String) };
    const unknown = { error: { code: 102, message: "unknown channel" } };
    expect(body).toEqual({
      result: {
        replies: [
          { publish: published },
          unknown,
          { error: { code: 108, message: "not available" } },
          { error: { code: 104, message: "not found" } },
          { broadcast: { responses: [{ result: published }, unknown] } },
          { channels: { channels: {} } },
          { error: { code: 104, message: "not found" } },
        ],
      },
    });
    expect(await call(server, { path: "/api/batch", headers: KEY, body: "{}" })).toEqual({
      status: 200,
      body: { result: { replies: [] } },
    });
  });

  test("the legacy form", async () => {
    await using server = await bootStreaming({ namespaces: [{ name: "kept", ...HISTORY }] });
    const legacy = async (request: object) => {
      const answer = { path: "/api", headers: KEY, body: JSON.stringify(request) };
      return (await call(server, answer)).body;
    };
    const params = { channel: "kept:a", data: { a: 1 } };
    expect(await legacy({ method: "publish", params })).toEqual({
      result: { offset: 1, epoch: expect.any(String) },
    });
    expect(await legacy({ method: "none" })).toEqual({
      error: { code: 104, message: "not found" },
    });
    expect(await legacy({})).toEqual({ error: { code: 104, message: "not found" } });
    expect(await legacy({ method: "publish", params: [] })).toEqual({
      error: { code: 107, message: "bad request" },
    });
    expect(await legacy({ method: "channels" })).toEqual({ result: { channels: {} } });
  });
});

test("info counts this node's clients, users, channels and subscriptions", async () => {
  await using server = await bootStreaming({ namespaces: [{ name: "open", ...OPEN }] });
  using one = await connectClient(server, { sub: "1" });
  using two = await connectClient(server, { sub: "1" });
  for (const client of [one, two]) await subscribed(client, "open:a");
  await subscribed(one, "open:b");
  await server.advance(61_000);
  const { body } = await call(server, { path: "/api/info", headers: KEY, body: "{}" });
  expect(body).toEqual({
    result: {
      nodes: [
        {
          ...{ uid: expect.stringMatching(/^[0-9a-f-]{36}$/), name: expect.any(String) },
          ...{ version: packageJson.version, uptime: 61 },
          ...{ num_clients: 2, num_users: 1, num_channels: 2, num_subs: 3 },
        },
      ],
    },
  });
});

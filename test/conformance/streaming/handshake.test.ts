/** The websocket handshake: encoding, subprotocol, origin (centrifugo-protocol.md §1.2, §15). */
import { describe, expect, test } from "bun:test";
import packageJson from "../../../package.json" with { type: "json" };
import { connectRaw, handshake } from "../../support/raw-websocket.ts";
import { bootStreaming, connectClient, openClient } from "../../support/streaming.ts";

const ANONYMOUS = { allow_anonymous_connect_without_token: true };
/** The first ping comes within 25 s, and its answer is not awaited within them. */
const PINGS = { ping_interval: "25s", pong_timeout: "24s" };

describe("§1.2: the encoding of a websocket", () => {
  test.each([
    ["no subprotocol", "", undefined, undefined, 1],
    ["centrifuge-json", "", "centrifuge-json", "centrifuge-json", 1],
    ["centrifuge-protobuf", "", "centrifuge-protobuf", "centrifuge-protobuf", 2],
    ["the known one of several", "", "other, centrifuge-protobuf", "centrifuge-protobuf", 2],
    ["an unknown one", "", "other", undefined, 1],
    ["?format=protobuf", "?format=protobuf", undefined, undefined, 2],
    ["?cf_protocol=protobuf", "?cf_protocol=protobuf", undefined, undefined, 2],
    ["?cf_protocol_version=v2", "?cf_protocol_version=v2", undefined, undefined, 1],
  ])("%s", async (_name, query, offered, echoed, opcode) => {
    await using server = await bootStreaming({ streaming: ANONYMOUS });
    const raw = await connectRaw(server.websocketUrl + query, {
      headers: { "sec-websocket-protocol": offered },
    });
    expect(raw.response.headers.get("sec-websocket-protocol")).toBe(echoed);
    raw.send(opcode === 1 ? '{"id":1,"connect":{}}' : Buffer.from("0408012200", "hex"));
    expect((await raw.next()).opcode).toBe(opcode);
    raw.destroy();
  });

  test("?cf_ws_frame_ping_pong=true: pings are websocket frames and the reply names none", async () => {
    await using server = await bootStreaming({
      streaming: { ...ANONYMOUS, ...PINGS },
    });
    using client = await openClient(server, { query: "?cf_ws_frame_ping_pong=true" });
    expect(await client.ask({ connect: {} })).toEqual({
      connect: { client: client.id, version: packageJson.version },
    });
    await server.advance(25_000);
    expect((await client.raw.next()).opcode).toBe(9);
    client.raw.sendFrame(10, new Uint8Array());
    expect(await client.arrived()).toEqual([]);
    expect(await client.arrived()).toEqual([]);
    await server.advance(24_000);
    expect((await client.raw.next()).opcode).toBe(9);
  });
});

describe("§15: who may open a websocket", () => {
  const apps = (allowed_origins: readonly string[]) => ({ apps: [{ id: "dev", allowed_origins }] });
  test.each([
    ["no list, no origin", [], undefined, 101],
    ["no list, an origin", [], "https://a.example", 403],
    ["a listed one", ["https://a.example"], "https://a.example", 101],
    ["in capitals", ["https://a.example"], "HTTPS://A.EXAMPLE", 101],
    ["another one", ["https://a.example"], "https://b.example", 403],
    ["a longer one", ["https://a.example"], "https://a.example.evil.test", 403],
    ["a glob", ["https://*.example"], "https://b.example", 101],
    ["outside the glob", ["https://*.example"], "http://b.example", 403],
    ["any", ["*"], "null", 101],
    ["a list, no origin", ["https://a.example"], undefined, 101],
  ] as const)("%s", async (_name, allowed, origin, status) => {
    await using server = await bootStreaming({ streaming: ANONYMOUS, config: apps(allowed) });
    expect((await handshake(server.websocketUrl, { headers: { origin } })).status).toBe(status);
  });

  test("beyond connection_limit upgrades are refused with 503", async () => {
    await using server = await bootStreaming({ streaming: { ...ANONYMOUS, connection_limit: 1 } });
    using _client = await connectClient(server);
    expect((await handshake(server.websocketUrl)).status).toBe(503);
  });
});

/**
 * What a refused client is told of its token: in development mode the channel, the claim that is missing or wrong, and the claims that
 * there are, without their values; elsewhere what its protocol has and nothing more. The log has it in both.
 */
import { describe, expect, test } from "bun:test";
import { developmentFile } from "../../src/dialects/configuration.ts";
import { REASON_BYTES_MAX } from "../../src/dialects/explaining.ts";
import { ORG, OTHER_ORG } from "../support/events.ts";
import { connectRaw, handshake } from "../support/raw-websocket.ts";
import {
  boot,
  CLAIMS,
  eventsAnswer,
  framesOf,
  gusherAnswer,
  gusherToken,
  KEY_OF_PRESENCE,
  login,
  messagingAnswer,
  SECRET,
  streamingAnswer,
  wsOf,
} from "../support/refusals.ts";
import type { StreamingServer } from "../support/streaming.ts";
import { issueToken, postRpc, signed } from "../support/tasks-rpc.ts";
import { hs256 } from "../support/tokens.ts";

interface Case {
  readonly name: string;
  readonly ask: (server: StreamingServer) => Promise<string>;
  /** The whole wire outside of development mode. */
  readonly plain: string;
  /** In development mode on the wire, and in the log always. */
  readonly says: readonly string[];
}

const CASES: readonly Case[] = [
  {
    name: "streaming: a channel that nothing opens",
    ask: (server) => streamingAnswer(server, { subscribe: { channel: "closed:a" } }),
    plain: '{"id":2,"error":{"code":103,"message":"permission denied"}}',
    says: ['"closed:a"', '"channels" and "subs"', '"sub" ("u1"), "secret" (string)'],
  },
  {
    name: "streaming: a publication that no option opens",
    ask: (server) => streamingAnswer(server, { publish: { channel: "closed:a", data: 1 } }),
    plain: '{"id":2,"error":{"code":103,"message":"permission denied"}}',
    says: ["No option allow_publish_for_…", '"closed:a"', "has a user", '"secret" (string)'],
  },
  {
    name: "streaming: a subscription token of another channel, in the close's reason",
    async ask(server) {
      const token = hs256({ ...CLAIMS, channel: "closed:b" });
      return streamingAnswer(server, { subscribe: { channel: "closed:a", token } });
    },
    plain: "3500 invalid token",
    says: ['does not open "closed:a" to this client: its claim "channel" names'],
  },
  {
    name: "streaming: an expired token",
    async ask(server) {
      const socket = await connectRaw(server.websocketUrl);
      const token = hs256({ ...CLAIMS, exp: server.seconds(-1) });
      socket.send(JSON.stringify({ id: 1, connect: { token } }));
      return (await socket.next()).text.trim();
    },
    plain: '{"id":1,"error":{"code":109,"message":"token expired"}}',
    says: ['its claim "exp" is 2026-', '"sub" ("u1"), "secret" (string), "exp" (number)'],
  },
  {
    name: "streaming: a token of another secret, in the close's reason",
    ask: (server) =>
      framesOf(server.websocketUrl, { id: 1, connect: { token: hs256(CLAIMS, "another") } }),
    plain: "3500 invalid token",
    says: ["Token is not signed by a known key: its signature is another key's"],
  },
  {
    name: "gusher: a JWT of another secret",
    ask: (server) => login(server, hs256(CLAIMS, "another")),
    plain: "401 jwt decode fail\n",
    says: ["its signature is another key's", '"sub" ("u1"), "secret" (string)'],
  },
  {
    name: "gusher: an expired JWT",
    ask: (server) => login(server, hs256({ ...CLAIMS, gusher: {}, exp: server.seconds(-1) })),
    plain: "401 jwt decode fail\n",
    says: ['its claim "exp" is 2026-', '"gusher" (object)'],
  },
  {
    name: "gusher: a login token that is none",
    async ask(server) {
      const { status, body } = await handshake(`${wsOf(server)}/gusher/ws/dev?token=nope`);
      return `${status} ${body}`;
    },
    plain: "401 token error\n",
    says: ["The login token is not known here, or gusher.token_ttl is over"],
  },
  {
    name: "gusher: a login token of another app",
    async ask(server) {
      const token = await gusherToken(server);
      const { status, body } = await handshake(`${wsOf(server)}/gusher/ws/other?token=${token}`);
      return `${status} ${body}`;
    },
    plain: "401 appkey error\n",
    says: ['"gusher.app_key"', '"dev"', '"other"', '"channels" (list of 1)'],
  },
  {
    name: "gusher: a channel that no grant covers",
    ask: (server) => gusherAnswer(server, { event: "gusher.subscribe", data: { channel: "ZZ" } }),
    plain: '{"event":"gusher.subscribe_error","data":{"channel":"ZZ"}}',
    says: ['"gusher.channels" allows "ZZ"', '"user_id" ("u1"), "channels" (list of 1)'],
  },
  {
    name: "events: an expired access token",
    ask: (server) => eventsAnswer(server, { exp: server.seconds(-60) }),
    plain: "401 invalid_token expired",
    says: ['its claim "exp" is 2026-', '"scope" (string)'],
  },
  {
    name: "events: an access token without the channel's scope",
    ask: (server) => eventsAnswer(server, { scope: "none", secret: SECRET }),
    plain: "403 insufficient_scope -",
    says: [`"shipments:${ORG}"`, '"shipments:read"', '"scope" (string)', '"secret" (string)'],
  },
  {
    name: "events: another organisation's channel",
    ask: (server) => eventsAnswer(server, { secret: SECRET }, `shipments:${OTHER_ORG}`),
    plain: "403 channel_forbidden -",
    says: [`"shipments:${OTHER_ORG}"`, "another organisation's", '"secret" (string)'],
  },
  {
    name: "events: a connection token without its organisation, in the close's reason",
    ask(server) {
      const { issuer: iss, audience: aud } = developmentFile().events;
      const times = { iat: server.seconds(), exp: server.seconds(60) };
      const token = hs256({ iss, aud, ...CLAIMS, ...times });
      return framesOf(server.websocketUrl, { id: 1, connect: { token } });
    },
    plain: "3500 invalid token",
    says: ['The token\'s claim "meta" is missing or not of its type', '"iss" (string)'],
  },
  {
    name: "tasks: a call that another secret signed",
    async ask(server) {
      const body = '{"id":1,"method":"get_envoy_token","params":{}}';
      const { text } = await postRpc(server, body, { headers: signed(body, { secret: "other" }) });
      return text;
    },
    plain: '{"id":null,"jsonrpc":"2.0","error":{"code":-32001,"message":"Unauthorized"}}',
    says: ["The header sign is not the HMAC-SHA512 of the body"],
  },
  {
    name: "tasks: an API key without the method's scope",
    async ask(server) {
      const body = '{"id":1,"method":"get_envoy_token","params":{}}';
      const headers = { "X-API-Key": KEY_OF_PRESENCE };
      return (await postRpc(server, body, { headers })).text;
    },
    plain: '{"id":1,"jsonrpc":"2.0","error":{"code":-32002,"message":"Forbidden"}}',
    says: ['"tasks:get_envoy_token"', '"of-presence"', '"presence"'],
  },
  {
    name: "tasks: an expired token on a socket",
    async ask(server) {
      const { clientToken } = await issueToken(server, {}, { reusable_minutes: 1 });
      await server.advance(60_000);
      return framesOf(`${wsOf(server)}/tasks`, { client_token: clientToken });
    },
    plain: '{"Error":"token expired","Ticks":"","Message":"","Completed":true}\n4503 token expired',
    says: ["The token opens no socket since 2026-", '"public_id" ("dev"), "task" (string)'],
  },
  {
    name: "tasks: a token that is none",
    ask: (server) => framesOf(`${wsOf(server)}/tasks`, { client_token: "AAAA" }),
    plain: '{"Error":"invalid token","Ticks":"","Message":"","Completed":true}\n4502 invalid token',
    says: ["No key of this server has sealed the token"],
  },
  {
    name: "messaging: an expired JWT",
    ask: (server) => messagingAnswer(server, hs256({ ...CLAIMS, exp: server.seconds(-1) })),
    plain:
      '401 {"error":"invalid_token","error_description":"The access token is expired, revoked or unknown"} Bearer realm="messaging", error="invalid_token"',
    says: ['its claim "exp" is 2026-', '"sub" ("u1"), "secret" (string), "exp" (number)'],
  },
  {
    name: "messaging: a JWT of nobody",
    ask: (server) => messagingAnswer(server, hs256({ secret: SECRET })),
    plain: `403 {"error":"insufficient_scope","error_description":"The access token is not a subscriber's"} Bearer realm="messaging", error="insufficient_scope"`,
    says: ['its claim "sub" is missing', '"secret" (string)'],
  },
  {
    name: "messaging: a token that ends, in the close's reason",
    async ask(server) {
      const token = hs256({ ...CLAIMS, exp: server.seconds(5) });
      const url = `${wsOf(server)}/messaging/websocket?access_token=${token}`;
      const frames = await framesOf(url, { type: "whoami" }, () => server.advance(5_000));
      return String(frames.split("\n").at(-1));
    },
    plain: "4401 Unauthorized",
    says: ["The token was good until 2026-"],
  },
  {
    name: "sora: a channel that is another dialect's, in the close's reason",
    ask: (server) =>
      framesOf(`${wsOf(server)}/signaling`, {
        ...{ type: "connect", role: "recvonly", channel_id: "closed:a" },
      }),
    plain: "4490 INVALID-MESSAGE",
    says: ['The namespace of the channel "closed:a" does not admit sora'],
  },
];

describe.each(CASES)("$name", ({ ask: refusal, plain, says }) => {
  test("is explained in development mode, and in the log", async () => {
    await using server = await boot(true);
    const wire = await refusal(server);
    const read = wire.replaceAll('\\"', '"');
    for (const part of says) expect(read).toContain(part);
    expect(wire).not.toContain(SECRET);
    expectLogged(server, says);
    const [, reason = ""] = /^\d{4} (.*)$/m.exec(wire) ?? [];
    expect(Buffer.byteLength(reason)).toBeLessThanOrEqual(REASON_BYTES_MAX);
  });

  test("is as its protocol has it elsewhere, and explained in the log", async () => {
    await using server = await boot(false);
    expect(await refusal(server)).toBe(plain);
    expectLogged(server, says);
  });
});

function expectLogged({ logged }: StreamingServer, says: readonly string[]): void {
  const details = logged.map(({ word, detail }) => (word === undefined ? "" : String(detail)));
  expect(details.filter((detail) => says.every((part) => detail.includes(part)))).not.toEqual([]);
  expect(JSON.stringify(logged)).not.toContain(SECRET);
}

test("an end that refuses nothing is told as it is, in development mode too", async () => {
  await using server = await boot(true);
  const socket = await connectRaw(`${wsOf(server)}/signaling`);
  socket.send(JSON.stringify({ type: "connect", role: "recvonly", channel_id: "sora" }));
  expect((await socket.next()).text).toContain('"type":"offer"');
  socket.send('{"type":"disconnect"}');
  expect(await socket.next()).toMatchObject({ code: 1000, text: "TYPE-DISCONNECT" });
});

/** What the log tells about connections and refusals, and what it never tells. */
import { expect, test } from "bun:test";
import { connectRaw, handshake } from "../support/raw-websocket.ts";
import { bootServer, type BootedServer } from "../support/server.ts";
import {
  bootGusher,
  GRANT_A,
  jwt,
  logIn,
  openGusher,
  post,
  socketUrl,
  tokenFor,
} from "../support/gusher.ts";
import { hs256 } from "../support/tokens.ts";

async function loggedAddress(server: BootedServer): Promise<unknown> {
  const headers = { "X-Forwarded-For": "203.0.113.7" };
  const client = await connectRaw(server.websocketUrl, { headers });
  client.send('{"id":1,"connect":{}}');
  await client.next();
  client.destroy();
  return server.logged.find(({ msg }) => msg === "Connection opened")?.["address"];
}

test("a client's address is what a trusted proxy says, and nobody else", async () => {
  await using trusting = await bootServer({
    config: { clients: { port: 0, trusted_proxies: ["127.0.0.0/8"] } },
  });
  expect(await loggedAddress(trusting)).toBe("203.0.113.7");
  await using plain = await bootServer();
  expect(await loggedAddress(plain)).toBe("127.0.0.1");
});

test("refused commands and calls are logged with their reason, without token, key or payload", async () => {
  await using server = await bootServer();
  const token = hs256({ sub: "42", exp: 1 });
  const client = await connectRaw(server.websocketUrl);
  client.send(JSON.stringify({ id: 1, connect: { token, data: { secret: "payload-1" } } }));
  expect((await client.next()).text).toContain('"code":109');
  client.destroy();
  const second = await connectRaw(server.websocketUrl);
  second.send(
    '{"id":1,"connect":{}}\n{"id":2,"publish":{"channel":"nowhere:x","data":"payload-2"}}',
  );
  await second.next();
  expect((await second.next()).text).toContain('"code":102');
  second.destroy();
  await server.api("publish", { channel: 5, data: "payload-3" });

  const refusals = server.logged.filter(({ msg }) => String(msg).endsWith("refused"));
  expect(refusals).toMatchObject([
    { msg: "Connect refused", dialect: "streaming", code: 109 },
    {
      msg: "Command refused",
      dialect: "streaming",
      code: 102,
      detail: "Unknown channel namespace",
    },
    {
      msg: "API call refused",
      dialect: "streaming",
      method: "publish",
      code: 107,
      detail: expect.stringContaining("channel"),
    },
  ]);
  const log = JSON.stringify(server.logged);
  for (const secret of [token, "dev-api-key", "payload-1", "payload-2", "payload-3"]) {
    expect(log).not.toContain(secret);
  }
});

test("so are gusher's logins, handshakes, commands, calls, and the ends of its connections", async () => {
  await using server = await bootGusher();
  const expired = jwt({ gusher: GRANT_A, exp: 1 });
  await logIn(server, expired);
  await logIn(server, "");
  const token = await tokenFor(server, GRANT_A);
  await handshake(socketUrl(server, "unknown-token"));
  const client = await openGusher(server);
  await client.ask("gusher.subscribe", { channel: "forbidden" });
  await client.ask("gusher.multi_subscribe", { multi_channel: ["AA", "$AA"] });
  await client.ask("gusher.remote", { remote: "off", uid: "q", payload: "payload-1" });
  client.send({ event: "payload-2", data: "payload-2" });
  await client.ended();
  await post(`${server.masterUrl}/push/TEST`, "channel_pattern=[&event=e&data=payload-3", {
    "Content-Type": "application/x-www-form-urlencoded",
  });

  const connection = expect.any(String);
  const told = server.logged.filter(
    ({ dialect, err }) => dialect === "gusher" && err === undefined,
  );
  expect(told).toMatchObject([
    {
      msg: "Login refused",
      detail: expect.stringMatching(/^TEST: Token has expired: its claim "exp" is 1970-/),
    },
    { msg: "Login refused", detail: "No JWT" },
    {
      msg: "Connect refused",
      address: "127.0.0.1",
      status: 401,
      detail: expect.stringContaining("log in again"),
    },
    { msg: "Connection opened", connection, address: "127.0.0.1" },
    {
      msg: "Command refused",
      command: "gusher.subscribe",
      channel: "forbidden",
      word: "permission_denied",
      detail: expect.stringMatching(
        /^No entry of the token's claim "gusher\.channels" allows "forbidden"; the token has "user_id" \(".+"\), "channels" \(list of \d+\), "remotes" \(object\)$/,
      ),
    },
    { msg: "Command refused", command: "gusher.multi_subscribe", channel: "$AA" },
    { msg: "Command refused", connection, command: "gusher.remote" },
    { msg: "Frame refused", connection, detail: "The event is not known" },
    { msg: "Connection ended", connection, code: 1008, detail: "bad request" },
    {
      msg: "API call refused",
      method: "push_pattern",
      status: 400,
      detail: "channel_pattern cant regex: The channel pattern does not compile",
    },
  ]);
  const log = JSON.stringify(server.logged);
  for (const secret of [expired, token, "unknown-token", "payload-1", "payload-2", "payload-3"]) {
    expect(log).not.toContain(secret);
  }
});

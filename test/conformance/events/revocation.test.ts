/** Checklist 23 (event-streaming.md §11), and §9.3 step 5, §9.5: tokens that are void before their time. */
import { describe, expect, test } from "bun:test";
import {
  access,
  API_KEY,
  ask,
  askByKey,
  bootEvents,
  claimsOf,
  codeOf,
  connectionToken,
  connectUser,
  connectWith,
  ORG,
  OTHER_ORG,
  OTHER_USER,
  subscriptionToken,
  USER,
  type Json,
} from "../../support/events.ts";
import { CLOSES, ERRORS, openClient, type StreamingServer } from "../../support/streaming.ts";
import { hs256 } from "../../support/tokens.ts";

const STATE_INVALIDATED = { code: 3014, reason: "state invalidated" };

const revoke = (server: StreamingServer, body: Json) =>
  askByKey(server, "/events/revoke", { organisation_id: ORG, ...body });

/** What comes of connecting: `ok`, an error's code, or a close code. */
async function outcomeOf(server: StreamingServer, token: string): Promise<unknown> {
  using client = await openClient(server);
  client.send({ id: 1, connect: { token } });
  const { opcode, code, text } = await client.raw.next();
  if (opcode === 8) return code;
  const { error } = JSON.parse(text) as { error?: { code: number } };
  return error?.code ?? "ok";
}

describe("23: POST /events/revoke", () => {
  test("by user ends that user's connections, refuses earlier tokens and takes later ones", async () => {
    await using server = await bootEvents();
    using first = await connectUser(server);
    using second = await connectUser(server);
    using other = await connectUser(server, { sub: OTHER_USER });
    const earlier = await connectionToken(server);
    const subscription = await subscriptionToken(server, `orders:${ORG}.a`);
    await server.advance(500);
    const answer = await revoke(server, { user_id: USER });
    expect([answer.status, answer.body]).toEqual([200, { revoked: true, connections_closed: 2 }]);
    expect(await first.closed()).toEqual(STATE_INVALIDATED);
    expect(await second.closed()).toEqual(STATE_INVALIDATED);
    expect(await other.arrived()).toEqual([]);
    expect(await outcomeOf(server, earlier)).toBe(3500);
    await server.advance(1);
    using back = await connectUser(server);
    const reply = await back.ask({
      subscribe: { channel: `orders:${ORG}.a`, token: subscription },
    });
    expect(reply).toEqual({ error: ERRORS[103] });
    back.send({ id: 9, refresh: { token: earlier } });
    expect(await back.closed()).toEqual(CLOSES[3500]);
  });

  test("by jti ends that one, by nothing the whole organisation", async () => {
    await using server = await bootEvents();
    await ask(server, "/events/provision", { token: access(server, { org_id: OTHER_ORG }) });
    const token = await connectionToken(server);
    using one = (await connectWith(server, token)).client;
    using two = await connectUser(server);
    using three = await connectUser(server, { sub: OTHER_USER });
    using theirs = await connectUser(server, { org_id: OTHER_ORG });
    const { jti } = claimsOf({ body: { token } });
    expect((await revoke(server, { jti })).body).toEqual({ revoked: true, connections_closed: 1 });
    expect(await one.closed()).toEqual(STATE_INVALIDATED);
    expect(await outcomeOf(server, token)).toBe(3500);
    expect((await revoke(server, {})).body).toEqual({ revoked: true, connections_closed: 2 });
    expect(await two.closed()).toEqual(STATE_INVALIDATED);
    expect(await three.closed()).toEqual(STATE_INVALIDATED);
    expect(await theirs.arrived()).toEqual([]);
  });

  test("issued_before leaves what is younger", async () => {
    await using server = await bootEvents();
    using older = await connectUser(server);
    const olderToken = await connectionToken(server);
    const mark = new Date(server.runtime.clock.epochMs()).toISOString();
    await server.advance(1);
    using younger = await connectUser(server);
    const youngerToken = await connectionToken(server);
    await server.advance(5_000);
    const answer = await revoke(server, { user_id: USER, issued_before: mark });
    expect(answer.body).toEqual({ revoked: true, connections_closed: 1 });
    expect(await older.closed()).toEqual(STATE_INVALIDATED);
    expect(await younger.arrived()).toEqual([]);
    expect(await outcomeOf(server, olderToken)).toBe(3500);
    expect(await outcomeOf(server, youngerToken)).toBe("ok");
    // An earlier mark takes nothing back.
    const before = new Date(Date.parse(mark) - 60_000).toISOString();
    await revoke(server, { user_id: USER, issued_before: before });
    expect(await outcomeOf(server, olderToken)).toBe(3500);
  });

  test("a mark in the future is one of now", async () => {
    await using server = await bootEvents();
    const later = new Date(server.runtime.clock.epochMs() + 60_000).toISOString();
    await revoke(server, { user_id: USER, issued_before: later });
    await server.advance(1);
    expect(await outcomeOf(server, await connectionToken(server))).toBe("ok");
  });

  test("a token that says no milliseconds is asked for again when its second touches the mark", async () => {
    await using server = await bootEvents();
    await server.advance(2_000);
    const body = { token: await connectionToken(server) };
    const claims = claimsOf({ body });
    const meta = { org_id: ORG, gen: 1 };
    const issued = (secondsAgo: number) =>
      hs256({ ...claims, meta, iat: server.seconds(-secondsAgo), jti: undefined });
    const [before, touching, after] = [issued(1), issued(0), issued(-1)];
    await server.advance(500);
    await revoke(server, { user_id: USER });
    expect(await outcomeOf(server, before)).toBe(3500);
    expect(await outcomeOf(server, touching)).toBe(109);
    expect(await outcomeOf(server, after)).toBe("ok");
  });

  test("the mark outlives every token, and not much more", async () => {
    await using server = await bootEvents({ events: { token_ttl: "12h" } });
    await server.advance(10);
    const claims = { exp: server.seconds(86_400) };
    const body = { token: await connectionToken(server, claims) };
    const earlier = { ...claimsOf({ body }), exp: server.seconds(200_000) };
    await revoke(server, { user_id: USER });
    await server.advance(86_399_000);
    expect(await outcomeOf(server, hs256(earlier))).toBe(3500);
    await server.advance(1_000);
    expect(await outcomeOf(server, hs256(earlier))).toBe("ok");
  });

  test("by platform:admin of its own organisation", async () => {
    await using server = await bootEvents();
    using client = await connectUser(server);
    const answer = await ask(server, "/events/revoke", { method: "POST", body: {} });
    expect(answer.body).toEqual({ revoked: true, connections_closed: 1 });
    expect(await client.closed()).toEqual(STATE_INVALIDATED);
    const member = access(server, { scope: "shipments:admin" });
    const refused = await ask(server, "/events/revoke", { method: "POST", token: member });
    expect(codeOf(refused)).toBe("insufficient_scope");
    const other = { organisation_id: OTHER_ORG };
    const theirs = await ask(server, "/events/revoke", { method: "POST", body: other });
    expect(codeOf(theirs)).toBe("organisation_required");
  });

  test.each([
    ["both", { user_id: USER, jti: "a" }],
    ["a bad user", { user_id: "42" }],
    ["a bad jti", { jti: "a/b" }],
    ["a long jti", { jti: "a".repeat(129) }],
    ["a bad time", { issued_before: "yesterday" }],
    ["a time without its offset", { issued_before: "2026-11-01T00:00:00" }],
    ["a number", { user_id: 5 }],
  ])("%s: refused", async (_name, body) => {
    await using server = await bootEvents();
    expect(codeOf(await revoke(server, body))).toBe("invalid_request");
  });

  test("GET is 405", async () => {
    await using server = await bootEvents();
    const answer = await ask(server, "/events/revoke", { headers: API_KEY });
    expect([answer.status, answer.headers["allow"]]).toEqual([405, "POST"]);
  });
});

test("a connection that is being let in while its user is revoked does not stay", async () => {
  await using server = await bootEvents();
  for (let round = 0; round < 20; round++) {
    using racing = await openClient(server);
    racing.send({ id: 1, connect: { token: await connectionToken(server) } });
    await revoke(server, { user_id: USER });
    for (;;) {
      const frame = await racing.raw.next();
      if (frame.opcode !== 8) continue;
      expect([3014, 3500]).toContain(frame.code ?? 0);
      break;
    }
    await server.advance(1_000);
  }
});

/** Several apps: what one's credentials can name, no other's can reach. */
import { expect, test } from "bun:test";
import { hashApiKey } from "../../../src/auth/api-keys.ts";
import {
  access,
  API_KEY,
  ask,
  bootEvents,
  codeOf,
  ISSUER,
  ORG,
  publicationsOf,
  type Json,
} from "../../support/events.ts";
import { connectRaw } from "../../support/raw-websocket.ts";
import { bootStreaming } from "../../support/streaming.ts";
import { hs256 } from "../../support/tokens.ts";

const APPS = ["one", "two"] as const;
const keyOf = (app: string) => `evk_${app}_secret`;

function config(): Json {
  return {
    apps: APPS.map((id) => ({ id, path_prefix: `/${id}` })),
    api_keys: APPS.map((app) => ({ id: app, app, hash: hashApiKey(keyOf(app)) })),
    signing_keys: APPS.flatMap((app) => [
      { app, use: "events-client", hmac_secret: `client ${app}` },
      {
        ...{ app, use: "events-access", hmac_secret: `access ${app}` },
        ...{ issuer: ISSUER, audience: "events" },
      },
    ]),
  };
}

test("a token, a key and an event belong to one app", async () => {
  await using server = await bootEvents({ config: config() });
  const tokens = APPS.map((app) => access(server, {}, (claims) => hs256(claims, `access ${app}`)));
  const [one = "", two = ""] = tokens;
  // Development mode provisions the organisation in both; switched off in one it stays on in the other.
  expect((await ask(server, "/events/deprovision", { token: two })).status).toBe(200);
  expect((await ask(server, "/events/status", { token: one })).body).toMatchObject({
    ...{ status: "active", generation: 1 },
  });
  expect(codeOf(await ask(server, "/events/connection_token", { token: two }))).toBe(
    "organisation_not_provisioned",
  );
  await ask(server, "/events/provision", { token: two });
  const issued = await Promise.all(
    tokens.map(async (token) => {
      const { body } = await ask(server, "/events/connection_token", { token });
      return String(body["token"]);
    }),
  );
  const open = async (app: string, token: string | undefined) => {
    const raw = await connectRaw(
      `${server.clientsUrl.replace("http", "ws")}/${app}/connection/websocket`,
    );
    raw.send(JSON.stringify({ id: 1, connect: { token } }));
    return { raw, frame: await raw.next() };
  };
  const refused = await open("two", issued[0]);
  expect(refused.frame).toMatchObject({ opcode: 8, code: 3500 });
  const [mine, theirs] = [await open("one", issued[0]), await open("two", issued[1])];
  expect([mine.frame.opcode, theirs.frame.opcode]).toEqual([1, 1]);
  const event = { type: "a", organisation_id: ORG, resource: "shipments", data: { n: 1 } };
  await ask(server, "/events/publish", {
    ...{ method: "POST", headers: { "X-API-Key": keyOf("one") }, body: event },
  });
  const [got] = publicationsOf([JSON.parse((await mine.raw.next()).text) as Json]);
  expect(got?.data).toMatchObject({ data: { n: 1 } });
  theirs.raw.send(JSON.stringify({ id: 2, rpc: { method: "settled" } }));
  expect((await theirs.raw.next()).text).toContain('"id":2');
  for (const { raw } of [refused, mine, theirs]) raw.destroy();
  const unknown = await ask(server, "/events/status", {
    token: access(server, {}, (claims) => hs256(claims, "access three")),
  });
  expect(codeOf(unknown)).toBe("invalid_token");
});

test("an app without a key that signs has no such API, and its keys none either", async () => {
  const some = config();
  const signing = (some["signing_keys"] as Json[]).filter((key) => key["app"] === "one");
  await using server = await bootEvents({ config: { ...some, signing_keys: signing } });
  const headers = { "X-API-Key": keyOf("two") };
  const answer = await ask(server, `/events/status?organisation_id=${ORG}`, { headers });
  expect([answer.status, codeOf(answer)]).toEqual([401, "invalid_token"]);
});

test("development without its keys starts, without the dialect", async () => {
  await using server = await bootStreaming({ config: { signing_keys: [] } });
  const answer = await ask(server, "/events/status", { token: "", headers: API_KEY });
  expect(answer.status).toBe(404);
});

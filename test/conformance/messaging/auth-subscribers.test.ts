/** Subscribers and keys by HTTP (messaging.md §13.3, §13.4): what is taken, what is answered, and what is refused. */
import { expect, test } from "bun:test";
import {
  ask,
  KEY,
  manage,
  managed,
  open,
  statusOf,
  subscribe,
  whoami,
  type Json,
} from "../../support/messaging-auth.ts";
import { bootServer, temporaryDir } from "../../support/server.ts";
import { api_keys } from "../../support/callers.ts";
import { createTestRuntime } from "../../support/runtime.ts";

const CREATED = "2026-11-01T00:00:00.000Z";
const SHOWN = {
  ...{ msisdn: "101", domain: "dev", active: true, profile: {}, "has-password": false },
  ...{ "created-at": CREATED, "changed-at": CREATED },
};

test("a subscriber is made, shown, listed, changed and deleted", async () => {
  await using server = await bootServer();
  const made = await manage(server, "POST", "/subscribers", { msisdn: "101" });
  expect([made.status, made.body]).toEqual([201, SHOWN]);
  expect(made.headers.get("cache-control")).toBe("no-store");
  expect(made.headers.get("content-type")).toBe("application/json; charset=UTF-8");
  expect(await managed(server, "GET", "/subscribers/101")).toEqual(SHOWN);
  expect(await managed(server, "GET", "/subscribers")).toEqual({ subscribers: [SHOWN] });
  await server.advance(1000);
  const profile = { name: "Ada", tags: ["a", { b: 1 }] };
  const changed = await managed(server, "PATCH", "/subscribers/101", { profile });
  expect(changed).toEqual({ ...SHOWN, profile, "changed-at": "2026-11-01T00:00:01.000Z" });
  // Merged: what is null goes, what is not named stays.
  const merged = await managed(server, "PATCH", "/subscribers/101", {
    profile: { name: null, city: "Paris", none: null },
  });
  expect(merged["profile"]).toEqual({ tags: profile.tags, city: "Paris" });
  expect((await manage(server, "DELETE", "/subscribers/101")).status).toBe(204);
  expect((await manage(server, "GET", "/subscribers/101")).status).toBe(404);
});

test("a list of subscribers is made as a whole or not at all", async () => {
  await using server = await bootServer();
  const list = ["101", "102", "103"].map((msisdn) => ({ msisdn }));
  const made = await manage(server, "POST", "/subscribers", list);
  expect(made.status).toBe(201);
  expect((made.body as unknown as Json[]).map(({ msisdn }) => msisdn)).toEqual([
    "101",
    "102",
    "103",
  ]);
  const conflict = await manage(server, "POST", "/subscribers", [
    { msisdn: "104" },
    { msisdn: "102" },
  ]);
  expect([conflict.status, conflict.body?.["error"]]).toEqual([409, "conflict"]);
  expect((await manage(server, "GET", "/subscribers/104")).status).toBe(404);
  const twice = await manage(server, "POST", "/subscribers", [
    { msisdn: "105" },
    { msisdn: "105" },
  ]);
  expect([twice.status, twice.body?.["field"]]).toEqual([400, "msisdn"]);
  const many = (count: number) => Array.from({ length: count }, (_, n) => ({ msisdn: `m${n}` }));
  expect((await manage(server, "POST", "/subscribers", many(101))).status).toBe(400);
  expect((await manage(server, "POST", "/subscribers", [])).status).toBe(400);
  expect((await manage(server, "POST", "/subscribers", many(100))).status).toBe(201);
});

test("of two calls that make the same subscriber at once, one does", async () => {
  await using server = await bootServer();
  const answers = await Promise.all(
    Array.from({ length: 8 }, () => manage(server, "POST", "/subscribers", { msisdn: "101" })),
  );
  const statuses = answers.map(({ status }) => status).toSorted((a, b) => a - b);
  expect(statuses).toEqual([201, ...Array(7).fill(409)]);
});

test("lists are paged in the order of their ids, and what was deleted is not in them", async () => {
  await using server = await bootServer();
  const ids = Array.from({ length: 7 }, (_, n) => `10${n}`);
  await managed(
    server,
    "POST",
    "/subscribers",
    ids.map((msisdn) => ({ msisdn })),
  );
  await managed(server, "DELETE", "/subscribers/103");
  const pages: string[][] = [];
  let query = "?limit=3";
  for (;;) {
    const { subscribers, next } = await managed(server, "GET", `/subscribers${query}`);
    pages.push((subscribers as Json[]).map(({ msisdn }) => String(msisdn)));
    if (typeof next !== "string") break;
    query = `?limit=3&after=${next}`;
  }
  expect(pages).toEqual([["100", "101", "102"], ["104", "105"], ["106"]]);
  for (const wrong of ["limit=0", "limit=1001", "limit=x", "after=a/b", "offset=1"]) {
    expect([wrong, (await manage(server, "GET", `/subscribers?${wrong}`)).status]).toEqual([
      wrong,
      400,
    ]);
  }
  for (let n = 0; n < 3; n++) await subscribe(server, "100", { name: `key ${n}` });
  const first = await managed(server, "GET", "/subscribers/100/keys?limit=2");
  const rest = await managed(
    server,
    "GET",
    `/subscribers/100/keys?limit=2&after=${String(first["next"])}`,
  );
  const keys = [...(first["keys"] as Json[]), ...(rest["keys"] as Json[])];
  expect(keys.map(({ name }) => `${name as string}`).toSorted()).toEqual([
    "key 0",
    "key 1",
    "key 2",
  ]);
  expect(rest["next"]).toBeUndefined();
});

test("a key is minted, shown without its token, renamed and deleted", async () => {
  const runtime = createTestRuntime();
  await using server = await bootServer({ runtime });
  await managed(server, "POST", "/subscribers", { msisdn: "101" });
  const path = "/subscribers/101/keys";
  const minted = await manage(server, "POST", path, { name: "phone", "expires-in": 60 });
  expect(minted.status).toBe(201);
  const shown = {
    "key-id": expect.stringMatching(/^KY[A-Za-z0-9]{22}$/),
    ...{ name: "phone", active: true },
    ...{ "created-at": CREATED, "expires-at": "2026-11-01T00:01:00.000Z" },
  };
  const token = { access_token: expect.any(String), token_type: "Bearer", expires_in: 60 };
  expect(minted.body).toEqual({ ...shown, ...token });
  const key = `${path}/${String(minted.body?.["key-id"])}`;
  expect(await managed(server, "GET", key)).toEqual(shown);
  expect(await managed(server, "GET", path)).toEqual({ keys: [shown] });
  expect(await managed(server, "PATCH", key, { name: "tablet" })).toEqual({
    ...shown,
    name: "tablet",
  });
  expect((await manage(server, "DELETE", key)).status).toBe(204);
  expect((await manage(server, "DELETE", key)).status).toBe(404);
  // Without a time it has the configured one, and with null none.
  expect(await managed(server, "POST", path)).toMatchObject({ name: "", expires_in: 3600 });
  const forever = await managed(server, "POST", path, { "expires-in": null });
  expect(forever["expires-at"]).toBeNull();
  expect(forever).not.toHaveProperty("expires_in");
  runtime.setClock(400 * 86_400_000);
  expect(await whoami(await open(server, String(forever["access_token"])))).toBe("101");
});

test("a subscriber has so many keys that have not ended", async () => {
  await using server = await bootServer({ config: { messaging: { key_limit: 2 } } });
  const path = "/subscribers/101/keys";
  const [{ keyId }] = [await subscribe(server, "101"), await subscribe(server, "101")];
  const beyond = await manage(server, "POST", path);
  expect([beyond.status, beyond.body?.["error"]]).toEqual([409, "limit_reached"]);
  await managed(server, "DELETE", `${path}/${keyId}`);
  expect((await manage(server, "POST", path)).status).toBe(201);
  await managed(server, "DELETE", path);
  await managed(server, "POST", path);
  expect((await manage(server, "POST", path, { "expires-in": 1 })).status).toBe(201);
  expect((await manage(server, "POST", path)).status).toBe(409);
  await server.advance(1000);
  expect((await manage(server, "POST", path)).status).toBe(201);
});

test("bounds of what is kept hold at the edge, and one beyond is refused", async () => {
  await using server = await bootServer();
  const made = async (body: object) => {
    const { status, body: answer } = await manage(server, "POST", "/subscribers", body);
    return [status, answer?.["field"]];
  };
  const members = (count: number) =>
    Object.fromEntries(Array.from({ length: count }, (_, n) => [`k${n}`, n]));
  expect(await made({ msisdn: "1".repeat(128) })).toEqual([201, undefined]);
  expect(await made({ msisdn: "1".repeat(129) })).toEqual([400, "msisdn"]);
  expect(await made({ msisdn: "a", profile: members(64) })).toEqual([201, undefined]);
  expect(await made({ msisdn: "b", profile: members(65) })).toEqual([400, "profile"]);
  // {"t":"…"} has eight bytes besides.
  expect(await made({ msisdn: "c", profile: { t: "x".repeat(4088) } })).toEqual([201, undefined]);
  expect(await made({ msisdn: "d", profile: { t: "x".repeat(4089) } })).toEqual([400, "profile"]);
  expect(await made({ msisdn: "e", "sip-password": "x".repeat(256) })).toEqual([201, undefined]);
  expect(await made({ msisdn: "f", "sip-password": "x".repeat(257) })).toEqual([
    400,
    "sip-password",
  ]);
  const grown = await manage(server, "PATCH", "/subscribers/a", { profile: { another: 1 } });
  expect([grown.status, grown.body?.["field"]]).toEqual([400, "profile"]);
  const named = async (body: object) =>
    (await manage(server, "POST", "/subscribers/a/keys", body)).status;
  expect(await named({ name: "n".repeat(256) })).toBe(201);
  expect(await named({ name: "n".repeat(257) })).toBe(400);
  expect(await named({ "expires-in": 315_360_000 })).toBe(201);
  for (const seconds of [315_360_001, 0, -1, 1.5, "60"]) {
    expect(await named({ "expires-in": seconds })).toBe(400);
  }
});

test("what is no JSON, no object or not known is refused, and repeated in no answer or log", async () => {
  await using server = await bootServer();
  await managed(server, "POST", "/subscribers", { msisdn: "101" });
  const bodies: (string | Uint8Array)[] = [
    ...["", "secret-1", '{"msisdn":"102",}', "null", "7", '"102"', "[[]]", "[null]", "{}"],
    ...['{"msisdn":102}', '{"msisdn":""}', '{"msisdn":"a/b"}', '{"msisdn":"ü"}'],
    ...['{"msisdn":"102","sip_password":"secret-2"}', '{"msisdn":"102","secret-3":1}'],
    ...['{"msisdn":"102","profile":[]}', '{"msisdn":"102","profile":null}'],
    ...['{"msisdn":"102","active":"yes"}', '{"msisdn":"102","sip-password":""}'],
    ...['{"msisdn":"102","profile":{"__proto__":{"a":1}}}', "[".repeat(100_000)],
    new Uint8Array([0x7b, 0xff, 0x7d]),
  ];
  const url = `${server.apiUrl}/messaging/domains/dev/subscribers`;
  for (const body of bodies) {
    const { status, body: answer, text } = await ask(url, { method: "POST", headers: KEY, body });
    expect([body, status, answer?.["error"]]).toEqual([body, 400, "invalid_request"]);
    expect(text).not.toContain("secret-");
  }
  const large = await ask(url, { method: "POST", headers: KEY, body: " ".repeat(131_073) });
  expect([large.status, large.body?.["error"]]).toEqual([413, "too_large"]);
  for (const path of ["/subscribers/a%2Fb", "/subscribers/%ff", "/subscribers/..%2f101"]) {
    expect((await manage(server, "GET", path)).status).toBe(404);
  }
  for (const keyId of ["KY", `KY${"a".repeat(23)}`, "..%2f..", `KY${"a".repeat(22)}`]) {
    expect((await manage(server, "GET", `/subscribers/101/keys/${keyId}`)).status).toBe(404);
  }
  expect(JSON.stringify(server.logged)).not.toContain("secret-");
  expect(await managed(server, "GET", "/subscribers")).toMatchObject({
    subscribers: [{ msisdn: "101", profile: {} }],
  });
});

test("without a key of the right scope nothing is read, and no path is known", async () => {
  await using server = await bootServer({ config: { api_keys } });
  const paths = ["/domains/dev/subscribers", "/domains/none/subscribers", "/nothing"];
  for (const path of paths) {
    for (const key of [undefined, "wrong", "gusher", "confined"]) {
      const { status, headers, body } = await ask(`${server.apiUrl}/messaging${path}`, {
        method: "POST",
        headers: key === undefined ? {} : { Authorization: `Bearer ${key}` },
        body: "[".repeat(100),
      });
      expect([path, key, status, body?.["error"]]).toEqual([path, key, 401, "invalid_token"]);
      expect(headers.get("www-authenticate")).toBe(
        'Bearer realm="messaging", error="invalid_token"',
      );
    }
  }
  for (const [path, status] of [
    ["/domains/none/subscribers", 404],
    ["/tenants/other/domains/dev/subscribers", 404],
    ["/nothing", 404],
  ] as const) {
    expect((await ask(`${server.apiUrl}/messaging${path}`, { headers: KEY })).status).toBe(status);
  }
  const wrong = await manage(server, "PUT", "/subscribers", {});
  expect([wrong.status, wrong.headers.get("allow")]).toEqual([405, "GET, POST"]);
  // Not on the listener that everybody reaches.
  const open_ = await fetch(`${server.clientsUrl}/messaging/domains/dev/subscribers`, {
    headers: KEY,
  });
  expect(open_.status).toBe(404);
});

test("the alias below the tenant takes the same calls, and self is the key's domain", async () => {
  await using server = await bootServer();
  for (const [index, domain] of [
    "domains/self",
    "tenants/self/domains/dev",
    "tenants/self/domains/self",
  ].entries()) {
    const msisdn = `10${index}`;
    const made = await managed(server, "POST", "/subscribers", { msisdn }, { domain });
    expect(made).toMatchObject({ msisdn, domain: "dev" });
    expect(await managed(server, "GET", `/subscribers/${msisdn}`)).toEqual(made);
  }
});

test("subscribers, keys, and what has ended are there after a restart", async () => {
  const dataDir = temporaryDir();
  const before = await bootServer({ dataDir });
  const [kept, revoked] = [await subscribe(before, "101"), await subscribe(before, "101")];
  await managed(before, "DELETE", `/subscribers/101/keys/${revoked.keyId}`);
  const former = await subscribe(before, "102");
  await managed(before, "PATCH", "/subscribers/102", { active: false });
  await before[Symbol.asyncDispose]();
  await using after = await bootServer({ dataDir });
  expect(await whoami(await open(after, kept.token))).toBe("101");
  for (const { token } of [revoked, former]) expect(await statusOf(after, token)).toBe(401);
});

/** What the events dialect and its webhooks ask of the configuration. */
import { loadConfig, toFile, MODEL } from "../configuration.ts";
import { generateKeyPairSync } from "node:crypto";
import { describe, expect, test } from "bun:test";
import { automaticChannels, eventsNamespaces } from "./config.ts";

import { createNamespaces } from "../../config/namespaces.ts";
import { ConfigError } from "../../config/problem.ts";

import { configOf, linesOf } from "../../config/test-support.ts";

const key = { use: "events-client", hmac_secret: "s" };
const issuer = "https://api.example.com";
const enabled = (events: object = {}, more: object = {}) => ({
  ...{ events: { enabled: true, issuer, ...events }, signing_keys: [key] },
  ...more,
});

describe("enabled", () => {
  test("needs an issuer and a key that signs", () => {
    expect(linesOf({ events: { enabled: true } })).toEqual([
      'events.issuer: is required with "enabled"',
      'events: needs a signing key with use = "events-client"',
    ]);
    expect(linesOf(enabled())).toEqual([]);
  });
});

describe("signing keys", () => {
  const signing = (entry: object) => linesOf({ signing_keys: [entry] });

  test("of events-client sign, and leave issuer and audience to the dialect", () => {
    expect(signing({ ...key, issuer: "i", audience: "a" })).toEqual([
      'signing_keys[0].issuer: "events.issuer" says it',
      'signing_keys[0].audience: "events.audience" says it',
    ]);
    const verifying = { use: "events-client", public_key: "p", algorithms: ["ES256"] };
    expect(signing(verifying)).toEqual([
      'signing_keys[0]: needs an "hmac_secret" or a "private_key": it signs',
    ]);
    const pair = { use: "events-client", private_key: "p", algorithms: ["ES256"] };
    expect(signing(pair)).toEqual([]);
    expect(signing({ ...pair, use: "streaming" })).toEqual([
      'signing_keys[0].private_key: is for "events-client" alone',
    ]);
    expect(signing({ ...pair, algorithms: ["HS256"] })).toEqual([
      'signing_keys[0].algorithms: "HS256" needs an "hmac_secret": HMAC never goes with a public key',
    ]);
  });

  test("of events-access name issuer and audience", () => {
    const access = { use: "events-access", hmac_secret: "s" };
    expect(signing(access)).toEqual([
      'signing_keys[0].issuer: is required with "events-access"',
      'signing_keys[0].audience: is required with "events-access"',
    ]);
    expect(signing({ ...access, issuer, audience: "a" })).toEqual([]);
  });

  test("a private key's file is read and looked at", () => {
    const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
    const pem = privateKey.export({ type: "pkcs8", format: "pem" }).toString();
    const publicPem = publicKey.export({ type: "spki", format: "pem" }).toString();
    const load = (text: string | undefined, algorithm = "ES256") => {
      const file = `[[signing_keys]]\nuse = "events-client"\nprivate_key = "key.pem"\nalgorithms = ["${algorithm}"]\n`;
      const files: Record<string, string | undefined> = { "carillon.toml": file, "key.pem": text };
      return loadConfig({ env: {}, readFile: (path) => files[path] });
    };
    const [signingKey] = load(pem).signing_keys;
    expect(signingKey?.private_key).toBe(pem);
    const shown = JSON.stringify(toFile(load(pem), { redact: true }));
    expect(shown).not.toContain("PRIVATE KEY");
    for (const [text, algorithm] of [
      [publicPem, "ES256"],
      ["text", "ES256"],
      [undefined, "ES256"],
      [pem, "RS256"],
    ] as const) {
      expect(() => load(text, algorithm)).toThrow(ConfigError);
    }
  });
});

describe("the catalogue", () => {
  const lines = (namespaces: readonly object[], more: object = {}) =>
    linesOf(enabled({ namespaces }, more));

  test("omitted members are those of the example, and the server adds its own", () => {
    const { events } = configOf(enabled({ namespaces: [{ name: "shipments" }] }));
    const [shipments, notices] = eventsNamespaces(events.namespaces);
    expect(shipments).toEqual({
      ...{ name: "shipments", visibility: "private" },
      scopes: ["shipments:read", "shipments:manage", "shipments:admin"],
      ...{ organisation_channel: true, user_channel: true, auto_subscribe: true },
      ...{ multi_user: false, private_prefix: false },
      ...{ history_size: 100, history_ttl_s: 300, recover: true },
    });
    expect(notices).toMatchObject({ name: "webhooks", auto_subscribe: false });
  });

  test("names are unique, well-formed and not the server's own", () => {
    expect(lines([{ name: "aa" }, { name: "aa" }])).toEqual([
      'events.namespaces[1].name: "aa" is already used by entry 0',
    ]);
    expect(lines([{ name: "webhooks" }])).toEqual([
      'events.namespaces[0].name: "webhooks" is the server\'s own',
    ]);
    const form = "events.namespaces[0].name: must be 2 to 64 letters, digits, `-` and `_`";
    for (const name of ["a", "a.b", "a:b", "n".repeat(65)])
      expect(lines([{ name }])).toEqual([form]);
    expect(lines([{ name: "n".repeat(64) }, { name: "a-_" }])).toEqual([]);
  });

  test("history has a size and an age, or neither", () => {
    const line =
      'events.namespaces[0].history_size: goes with "history_ttl_s": both are 0, or neither';
    expect(lines([{ name: "aa", history_size: 0 }])).toEqual([line]);
    expect(lines([{ name: "aa", history_ttl_s: 0 }])).toEqual([line]);
    expect(lines([{ name: "aa", history_size: 0, history_ttl_s: 0 }])).toEqual([]);
  });

  test("a private namespace is the catalogue's alone, a public one may have options of its own", () => {
    const channel = { namespaces: [{ name: "aa" }] };
    const taken = (name: string) =>
      `channel.namespaces[0].name: "${name}" is a private namespace of "events"`;
    expect(lines([{ name: "aa" }], { channel })).toEqual([taken("aa")]);
    expect(lines([{ name: "aa", visibility: "public" }], { channel })).toEqual([]);
    const notices = { namespaces: [{ name: "webhooks" }] };
    expect(lines([], { channel: notices })).toEqual([taken("webhooks")]);
    expect(linesOf({ channel: notices })).toEqual([]);
  });

  test("no token may open more than 128 channels by itself, nor more than a connection may hold", () => {
    const named = (count: number) => Array.from({ length: count }, (_, n) => ({ name: `n${n}` }));
    expect(lines(named(64))).toEqual([]);
    expect(lines([...named(64), { name: "one", user_channel: false }])).toEqual([
      "events.namespaces: one token could open 129 channels by itself, more than a connection may hold",
    ]);
    expect(lines([...named(64), { name: "one", auto_subscribe: false }])).toEqual([]);
    expect(lines([...named(64), { name: "one", visibility: "public" }])).toEqual([]);
    expect(lines(named(3), { streaming: { channel_limit: 5 } })).toHaveLength(1);
    expect(lines(named(3), { streaming: { channel_limit: 1000 } })).toEqual([]);
    const { events } = configOf(enabled({ namespaces: named(2) }));
    expect(automaticChannels(events.namespaces)).toBe(4);
  });

  test("private channels open to tokens alone, public ones to everybody, and nobody publishes", () => {
    const namespaces = [
      { name: "aa", history_size: 5, history_ttl_s: 60 },
      { name: "bb", visibility: "public", recover: false },
      { name: "cc", history_size: 0, history_ttl_s: 0 },
    ];
    const { named } = createNamespaces(MODEL.parts, configOf(enabled({ namespaces })));
    const closed = (rules: object) => ({
      ...{ presence: false, joinLeave: false, dialects: ["streaming"] },
      namespace: expect.any(String),
      own: {
        streaming: {
          ...{ allow_publish_for_client: false, allow_publish_for_subscriber: false },
          ...{ allow_user_limited_channels: false, ...rules },
        },
      },
    });
    expect(named.get("aa")).toMatchObject({
      ...closed({ allow_subscribe_for_client: false, force_recovery: true }),
      ...{ owner: "events", openedBy: "events", history: { size: 5, ttlMs: 60_000 } },
    });
    const open = { allow_subscribe_for_client: true, allow_subscribe_for_anonymous: true };
    expect(named.get("bb")).toMatchObject(closed({ ...open, force_recovery: false }));
    expect(named.get("bb")).not.toHaveProperty("openedBy");
    expect(named.get("cc")).toMatchObject(closed({ force_recovery: false }));
    expect(named.get("cc")).not.toHaveProperty("history");
    expect(named.get("webhooks")).toMatchObject(closed({ allow_subscribe_for_client: false }));
    expect(createNamespaces(MODEL.parts, configOf({ events: { namespaces } })).named.size).toBe(0);
  });
});

describe("event types", () => {
  const lines = (...event_types: object[]) => linesOf(enabled({ event_types }));
  const described = { name: "shipment.updated", description: "A shipment has moved" };

  test("have a name of their own, of 128 characters at the most, and a description", () => {
    const at = "events.event_types[0]";
    expect(lines(described, { ...described, name: "n".repeat(128) })).toEqual([]);
    expect(lines(described, described)).toEqual([
      'events.event_types[1].name: "shipment.updated" is already used by entry 0',
    ]);
    expect(lines({ ...described, name: "n".repeat(129) })).toEqual([
      `${at}.name: must be at most 128 characters long`,
    ]);
    for (const name of ["a..b", "a.*", "a-b", ""]) {
      expect(lines({ ...described, name })).toEqual([
        `${at}.name: must be words of letters, digits and \`_\` with dots between them`,
      ]);
    }
    expect(lines({ ...described, name: "endpoint.created" })).toEqual([
      `${at}.name: is the server's own`,
    ]);
    expect(lines({ name: "a" })).toEqual([`${at}.description: is required`]);
  });

  test("have a schema as a table or as JSON text, which is written back", () => {
    const schema = { type: "object", properties: { id: { const: null } } };
    const text = { ...described, name: "b", schema: JSON.stringify(schema) };
    const config = configOf(enabled({ event_types: [{ ...described, schema }, text] }));
    expect(config.events.event_types.map((type) => type.schema)).toEqual([schema, schema]);
    const odd = '{"__proto__":{"type":"string"}}';
    const [kept] = configOf(enabled({ event_types: [{ ...described, schema: odd }] })).events
      .event_types;
    expect(JSON.stringify(kept?.schema)).toBe(odd);
    expect(configOf(toFile(config, { redact: true })).events).toEqual(config.events);
    for (const wrong of ["{", "[]", "1", "null", "", [], 1, null]) {
      expect([wrong, lines({ ...described, schema: wrong })]).toEqual([
        wrong,
        ["events.event_types[0].schema: must be a JSON object"],
      ]);
    }
  });

  test("are read from TOML", () => {
    const file = `[[events.event_types]]
name = "shipment.updated"
description = "A shipment has moved"
[events.event_types.schema.properties.timestamp]
default = 2026-01-05T10:00:00Z
`;
    const { events } = loadConfig({
      env: {},
      readFile: (path) => (path === "carillon.toml" ? file : undefined),
    });
    expect(events.event_types).toEqual([
      {
        ...described,
        schema: { properties: { timestamp: { default: "2026-01-05T10:00:00.000Z" } } },
      },
    ]);
  });
});

describe("webhooks", () => {
  test("the operator's address and secret go together, and the secret is not shown", () => {
    const operator_url = "https://ops.example/in";
    const operator_secret = `whsec_${"A".repeat(32)}`;
    const lines = (webhooks: object) => linesOf(enabled({}, { webhooks }));
    expect(lines({ operator_url })).toEqual([
      "webhooks.operator_secret: goes with the other of the two",
    ]);
    expect(lines({ operator_secret })).toEqual([
      "webhooks.operator_url: goes with the other of the two",
    ]);
    const config = configOf(enabled({}, { webhooks: { operator_url, operator_secret } }));
    expect(JSON.stringify(toFile(config, { redact: true }))).not.toContain(operator_secret);
    expect(JSON.stringify(toFile(config, { redact: false }))).toContain(operator_secret);
  });

  test("networks, the schedule and the retention are checked", () => {
    for (const webhooks of [
      { allow_networks: ["10.0.0.0/33"] },
      { retry_schedule_s: Array.from({ length: 16 }, () => 1) },
      { retry_schedule_s: [172_801] },
      { retention: "119h" },
      { retention: "2161h" },
      { deny_ports: [0] },
      { source_addresses: ["here"] },
      { operator_url: "ftp://ops.example" },
      { operator_secret: "whsec_short" },
    ]) {
      expect([webhooks, linesOf({ webhooks })]).toEqual([webhooks, [expect.any(String)]]);
    }
    const good = { allow_networks: ["10.0.0.0/8", "::1"], retention: "120h", retry_schedule_s: [] };
    expect(linesOf({ webhooks: good })).toEqual([]);
  });
});

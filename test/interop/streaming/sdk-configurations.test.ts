/**
 * What the official SDKs' own suites have Centrifugo configured with, translated and started, serves the official client. The files under
 * `test/fixtures/centrifugo` say what the SDKs' repositories do; centrifuge-csharp has the same as centrifuge-java, and centrifuge-dart's and
 * -swift's stood on command lines. `shared_poll`, maps, deltas, SSE and HTTP streaming have no counterpart.
 */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { parse } from "smol-toml";
import { MODEL } from "../../../src/dialects/configuration.ts";
import { translate } from "../../../src/moving/centrifugo/translate.ts";
import { BUILDS, createOfficial, type OfficialClient } from "../../support/centrifuge-client.ts";
import { post, type Headers } from "../../support/callers.ts";
import { createLink } from "../../support/link.ts";
import { bootServer, type BootedServer } from "../../support/server.ts";
import { hs256 } from "../../support/tokens.ts";

/** Nothing of development mode: what a file does not say is closed. */
const CLOSED = {
  ...{ development: false, api_keys: [], signing_keys: [], channel: {}, streaming: {} },
};

interface Tables {
  readonly clients: object;
  readonly api: object;
}

function bootTranslated(name: string): Promise<BootedServer> {
  const path = join(import.meta.dir, "../../fixtures/centrifugo", name);
  const { toml } = translate(MODEL, [{ path, text: readFileSync(path, "utf8") }], () => "");
  const file = parse(toml) as unknown as Tables;
  const free = { clients: { ...file.clients, port: 0 }, api: { ...file.api, port: 0 } };
  return bootServer({ config: { ...CLOSED, ...file, ...free } });
}

interface Suite {
  readonly file: string;
  /** Whether the API asks for a key: `none` for nothing, else the key. */
  readonly key?: string;
  /** Clients bring tokens, signed with this secret. */
  readonly secret?: string;
  readonly presence?: true;
  readonly joins?: true;
  /** A namespace that keeps two publications. */
  readonly brief?: string;
  /** Channels without a namespace recover. */
  readonly recovers?: true;
}

const SUITES: readonly Suite[] = [
  {
    file: "centrifuge-js.json",
    key: "test-api-key",
    presence: true,
    brief: "smallhistory",
    recovers: true,
  },
  { file: "centrifuge-js-v5.yaml", presence: true },
  { file: "centrifuge-go.yaml", brief: "smallhistory", recovers: true },
  {
    file: "centrifuge-python.yaml",
    secret: "secret",
    presence: true,
    joins: true,
    brief: "smallhistory",
    recovers: true,
  },
  { file: "centrifuge-java.yaml", key: "none", presence: true, joins: true, brief: "smallhistory" },
  { file: "centrifuge-swift.env", brief: "smallhistory", recovers: true },
  { file: "centrifuge-dart.env", recovers: true },
];

describe.each(SUITES)("$file", (suite) => {
  const { secret } = suite;
  const options = secret === undefined ? {} : { token: hs256({ sub: "tester" }, secret) };
  let server: BootedServer;
  beforeAll(async () => {
    server = await bootTranslated(suite.file);
  });
  afterAll(() => server[Symbol.asyncDispose]());

  const open = (official: OfficialClient, channel: string) =>
    official.subscribe(
      channel,
      secret === undefined ? {} : { token: hs256({ sub: "tester", channel }, secret) },
    );

  test.each(BUILDS)("publish, presence, joins and the API on the same port, %s", async (build) => {
    const channel = `room-${build}`;
    using official = createOfficial(build, server.websocketUrl, options);
    await official.connect();
    const { subscription, heard } = open(official, channel);
    await heard.next("subscribed");
    await subscription.publish(official.payload({ text: "Hello" }));
    const published = await heard.next("publication");
    expect(official.value(published.data)).toEqual({ text: "Hello" });
    if (suite.presence) {
      expect(Object.keys((await subscription.presence()).clients)).toHaveLength(1);
    }
    if (suite.joins) expect((await heard.next("join")).channel).toBe(channel);
    const call = async (headers: Headers) => {
      const body = JSON.stringify({ channel, data: 1 });
      return (await post(`${server.clientsUrl}/api/publish`, body, headers)).status;
    };
    expect(await call({})).toBe(suite.key === "none" ? 200 : 401);
    if (suite.key === undefined) return;
    if (suite.key !== "none") expect(await call({ "X-API-Key": suite.key })).toBe(200);
    expect(official.value((await heard.next("publication")).data)).toBe(1);
  });

  const missed: readonly (readonly [channel: string, count: number, recovered: boolean])[] = [
    ...(suite.recovers ? [["lost", 3, true] as const] : []),
    ...(suite.brief === undefined
      ? []
      : [[`${suite.brief}:two`, 2, true] as const, [`${suite.brief}:three`, 3, false] as const]),
  ];
  if (missed.length === 0) return;
  test("what a client missed is recovered, as far as it is kept", async () => {
    for (const [channel, count, recovered] of missed) {
      await using link = await createLink(server.websocketUrl);
      using away = createOfficial("json", link.url, options);
      using other = createOfficial("json", server.websocketUrl, options);
      await Promise.all([away.connect(), other.connect()]);
      const { heard } = open(away, channel);
      const publisher = open(other, channel);
      await Promise.all([heard.next("subscribed"), publisher.heard.next("subscribed")]);
      link.cut();
      await away.heard.next("connecting");
      for (let data = 1; data <= count; data++) await publisher.subscription.publish(data);
      link.restore();
      const back = await heard.next("subscribed");
      expect([channel, back.wasRecovering, back.recovered]).toEqual([channel, true, recovered]);
      for (let data = 1; recovered && data <= count; data++) {
        expect((await heard.next("publication")).data).toBe(data);
      }
    }
  });
});

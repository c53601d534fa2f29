/** `streaming.ttl_spread`: clients whose tokens end together are told to refresh at different times. Off, the wire is the original's. */
import { expect, test } from "bun:test";
import {
  bootStreaming,
  CLOSES,
  connectClient,
  OPEN,
  openClient,
  subscribed,
} from "../../support/streaming.ts";
import { hs256 } from "../../support/tokens.ts";

const SECONDS = 3_600;
const PERCENT = 10;
const EARLIEST = (SECONDS * (100 - PERCENT)) / 100;
const CLIENTS = 60;

const boot = (streaming: Readonly<Record<string, unknown>>) =>
  bootStreaming({ streaming, namespaces: [{ name: "closed" }, { name: "open", ...OPEN }] });

type Server = Awaited<ReturnType<typeof boot>>;

/** The `ttl` of each answer that has one, to one client. */
async function ttlsOf(server: Server): Promise<readonly number[]> {
  const claims = { sub: "1", exp: server.seconds(SECONDS) };
  const token = hs256(claims);
  const forChannel = hs256({ ...claims, channel: "closed:a" });
  using client = await openClient(server);
  const answers = [
    await client.ask({ connect: { token } }),
    await client.ask({ subscribe: { channel: "closed:a", token: forChannel } }),
    await client.ask({ refresh: { token } }),
    await client.ask({ sub_refresh: { channel: "closed:a", token: forChannel } }),
  ];
  return answers.flatMap((answer) =>
    Object.values(answer).map((result) => (result as { readonly ttl: number }).ttl),
  );
}

test("each answer's ttl is shorter by chance, by 10 % at the most", async () => {
  await using server = await boot({ ttl_spread: PERCENT });
  const ttls: number[] = [];
  for (let client = 0; client < CLIENTS; client++) ttls.push(...(await ttlsOf(server)));
  expect(ttls).toHaveLength(4 * CLIENTS);
  expect(Math.max(...ttls)).toBeLessThanOrEqual(SECONDS);
  expect(Math.min(...ttls)).toBeGreaterThanOrEqual(EARLIEST);
  // Of 360 seconds 240 are drawn by chance: about 175 different ones.
  expect(new Set(ttls).size).toBeGreaterThan(100);
});

test("without it each is what is left", async () => {
  await using server = await boot({});
  expect(await ttlsOf(server)).toEqual([SECONDS, SECONDS, SECONDS, SECONDS]);
});

test("a token is good for as long as it says", async () => {
  await using server = await boot({ ttl_spread: PERCENT, expired_close_delay: "1s" });
  using client = await connectClient(server, { sub: "1", exp: server.seconds(SECONDS) });
  await server.advance(SECONDS * 1000);
  expect(await subscribed(client, "open:a")).toEqual({});
  await server.advance(1_000);
  expect(await client.closed()).toEqual(CLOSES[3005]);
});

test("more than 10 % is refused", () => {
  expect(boot({ ttl_spread: PERCENT + 1 })).rejects.toThrow("ttl_spread");
});

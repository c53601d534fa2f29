/** Many and badly behaved subscribers of one server: what each of them may cost is bounded, and the others notice nothing. */
import { expect, test } from "bun:test";
import { NEW_SESSIONS_MAX } from "../../src/transports/sockjs/sessions.ts";
import { spawnServer, type ChildServer } from "../support/child-server.ts";
import { until } from "../support/hostile.ts";
import { startLoadClients } from "../support/load-clients.ts";
import { connect, messagingUrl, tokenOf, type MessagingClient } from "../support/messaging.ts";
import { connectRaw } from "../support/raw-websocket.ts";

const SOAK = process.env["CARILLON_SOAK"] === "1";
const MIB = 2 ** 20;
const mib = (bytes: number) => (bytes / MIB).toFixed(1);

const STALLED = 20;
/** Together ten times what the readers may cost, were all of it kept for each. */
const LARGE = { count: 600, bytes: 32_000 };
const STALLED_RSS_MAX = 160 * MIB;

const FLOOD = 100_000;
/** Their answers fit into what may wait for a reader, however late a busy machine lets it read. */
const FLOOD_WAVE = 5000;
const FLOOD_RSS_MAX = 128 * MIB;

/** §15, item 36: all of them one member short of the limit, so that the sender fits. */
const [MEMBERS, IDLE] = SOAK ? [999, 9_000] : [200, 300];
const MESSAGES = 20;
/** With what the server compiles and allocates to serve the first. */
const [BASE_RSS_MAX, CONNECTION_RSS_MAX] = [64 * MIB, 16 * 1024];

const HALF_MADE = 10_000;
const HALF_MADE_AT_ONCE = 250;
const HALF_MADE_RSS_MAX = 128 * MIB;

const channelOf = async (owner: MessagingClient) => {
  const made = await owner.ask({ type: "create-channel", "invite-token": "all" });
  return String(made["channel-id"]);
};
const join = JSON.stringify({ type: "join-channel", "invite-token": "all" });

test(`${STALLED} readers that stop reading are closed as slow, and cost no more than they may`, async () => {
  await using server = await spawnServer();
  using owner = await connect(server, "owner");
  using reads = await connect(server, "reads");
  const id = await channelOf(owner);
  await reads.ask({ type: "join-channel", "invite-token": "all" });
  const stalled = await Promise.all(
    Array.from({ length: STALLED }, async (_, at) => {
      const socket = await connectRaw(`${messagingUrl(server)}?access_token=${tokenOf(`s${at}`)}`);
      socket.send(join);
      while (JSON.parse((await socket.next()).text).type !== "ack");
      socket.pause();
      return socket;
    }),
  );
  const before = await server.rssBytes();
  const content = "x".repeat(LARGE.bytes);
  let highest = before;
  for (let sent = 1; sent <= LARGE.count; sent++) {
    await owner.ask({ type: "channel-message", "channel-id": id, content });
    expect(await reads.nextOf("channel-message")).toMatchObject({ sequence: sent });
    if (sent % 50 === 0) highest = Math.max(highest, await server.rssBytes());
  }
  console.log(`stalled readers: ${mib(highest - before)} MiB`);
  expect(highest - before).toBeLessThan(STALLED_RSS_MAX);
  expect(await server.metric("carillon_connections")).toBe(2);
  for (const socket of stalled) {
    socket.resume();
    const last = (await socket.rest()).at(-1);
    // One that was cut, since it took nothing for too long, was told nothing.
    if (last?.opcode === 8) expect(last).toMatchObject({ code: 4408, text: "Slow consumer" });
    socket.destroy();
  }
}, 60_000);

test("a flood is refused message by message, in order, and costs its neighbours nothing", async () => {
  await using server = await spawnServer();
  using neighbour = await connect(server, "neighbour");
  await neighbour.ask({ type: "ping" });
  const before = await server.rssBytes();
  const flood = await connectRaw(`${messagingUrl(server)}?access_token=${tokenOf("flood")}`);
  let [sent, acks, refused, highest] = [0, 0, 0, before];
  while (acks < FLOOD) {
    if (acks === sent) {
      for (const end = sent + FLOOD_WAVE; sent < end; sent++) {
        flood.send(`{"type":"ping","id":"${sent}"}`);
      }
    }
    const message = JSON.parse((await flood.next()).text) as Record<string, unknown>;
    if (message["type"] !== "ack") continue;
    expect(message["id"]).toBe(`${acks}`);
    acks += 1;
    if (message["error"] === "rate-limited") refused += 1;
    if (acks % 10_000 !== 0) continue;
    await neighbour.ask({ type: "ping" });
    highest = Math.max(highest, await server.rssBytes());
  }
  console.log(`flood: ${refused} of ${FLOOD} refused, ${mib(highest - before)} MiB`);
  expect(refused).toBeGreaterThan(0);
  expect(highest - before).toBeLessThan(FLOOD_RSS_MAX);
  flood.destroy();
}, 60_000);

test(
  `a message reaches ${MEMBERS} members beside ${IDLE} idle connections, encoded once`,
  async () => {
    await using server = await spawnServer();
    using owner = await connect(server, "owner");
    const id = await channelOf(owner);
    const before = await server.rssBytes();
    await using idle = startLoadClients();
    await using members = startLoadClients();
    const tokens = (name: string, count: number) =>
      Array.from({ length: count }, (_, at) => tokenOf(`${name}-${at}`));
    await idle.open(messagingUrl(server), IDLE, [], {
      ...{ tokens: tokens("idle", IDLE), text: '{"type":"ping"}', answers: 2 },
    });
    await members.open(messagingUrl(server), MEMBERS, [], {
      ...{ tokens: tokens("member", MEMBERS), text: join, answers: 2 },
    });
    expect(await server.metric("carillon_connections")).toBe(IDLE + MEMBERS + 1);
    await expectOneEach(server, async (number) => {
      const attributes = { number, atMs: performance.timeOrigin + performance.now() };
      await owner.ask({ type: "channel-message", "channel-id": id, content: "x", attributes });
      await members.received(number);
    });
    const report = await members.report();
    expect(report).toMatchObject({
      ...{ open: MEMBERS, received: MEMBERS * MESSAGES, outOfOrder: 0, ended: 0 },
    });
    expect(await idle.report()).toMatchObject({ open: IDLE, received: 0, ended: 0 });
    const grown = (await server.rssBytes()) - before;
    const slowest = Math.max(...report.latenciesMs).toFixed(0);
    console.log(`${MEMBERS} members: the last has a message after ${slowest} ms at the most`);
    console.log(`${IDLE + MEMBERS} connections: ${mib(grown)} MiB`);
    expect(grown).toBeLessThan(BASE_RSS_MAX + (IDLE + MEMBERS) * CONNECTION_RSS_MAX);
  },
  SOAK ? 600_000 : 60_000,
);

/** Each message is one publication to the sockets' group. */
async function expectOneEach(
  server: ChildServer,
  send: (number: number) => Promise<void>,
): Promise<void> {
  const before = await server.metric("carillon_group_publications");
  for (let number = 1; number <= MESSAGES; number++) await send(number);
  const after = await server.metric("carillon_group_publications");
  expect(after - before).toBe(MESSAGES);
}

// Each of them takes the five seconds after which a session whose client does not come again has ended.
test.if(SOAK)(
  `${HALF_MADE} SockJS sessions that are polled once and never again are bounded, and end`,
  async () => {
    await using server = await spawnServer();
    using neighbour = await connect(server, "neighbour");
    await neighbour.ask({ type: "ping" });
    const before = await server.rssBytes();
    let highest = before;
    const answers = new Map<string, number>();
    for (let from = 0; from < HALF_MADE; from += HALF_MADE_AT_ONCE) {
      const opened = Array.from({ length: HALF_MADE_AT_ONCE }, async (_, at) => {
        const token = tokenOf(`half-${from + at}`);
        const url = `${server.clientsUrl}/messaging/000/half${from + at}/xhr?access_token=${token}`;
        const response = await fetch(url, { method: "POST" });
        const answer = `${response.status} ${(await response.text()).trim()}`;
        answers.set(answer, (answers.get(answer) ?? 0) + 1);
      });
      await Promise.all(opened);
      await neighbour.ask({ type: "ping" });
      highest = Math.max(highest, await server.rssBytes());
      expect(await server.metric("carillon_connections")).toBeLessThanOrEqual(NEW_SESSIONS_MAX + 1);
    }
    console.log(`half-made: ${JSON.stringify([...answers])}, ${mib(highest - before)} MiB`);
    expect(answers.get("200 o")).toBeGreaterThanOrEqual(NEW_SESSIONS_MAX);
    expect([...answers.keys()].filter((answer) => !/^(200 o|503 )/.test(answer))).toEqual([]);
    expect(highest - before).toBeLessThan(HALF_MADE_RSS_MAX);
    await until(async () => (await server.metric("carillon_connections")) === 1);
    expect(await server.metric("carillon_sockets")).toBe(1);
    // Their places are free.
    const token = tokenOf("late");
    const late = `${server.clientsUrl}/messaging/000/late/xhr?access_token=${token}`;
    expect(await (await fetch(late, { method: "POST" })).text()).toBe("o\n");
  },
  120_000,
);

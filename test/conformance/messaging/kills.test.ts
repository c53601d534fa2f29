/**
 * `kill -9` of a server under load, on Redis of one node after the other (messaging.md §11.1, §11.5; checklist 33): what was `stored` is
 * there, once, in a sequence without gaps, and reached its readers. Writers and readers are the published client, which comes back by
 * itself, repeats what it has no answer to, and closes gaps.
 */
import { expect, test } from "bun:test";
import { MessagingClient } from "../../../clients/messaging/messaging-client.ts";
import { spawnServer, type ChildServer } from "../../support/child-server.ts";
import { sharedRedis } from "../../support/shared-redis.ts";
import { connect, type Message } from "../../support/messaging.ts";
import { createRandom, type Random } from "../../support/random.ts";
import { until } from "../../support/redis.ts";
import { temporaryDir } from "../../support/server.ts";
import { hs256 } from "../../support/tokens.ts";

const SOAK = process.env["CARILLON_SOAK"] === "1";
const KILLS = SOAK ? 20 : 1;
const WRITERS = 4;
/** Of each writer, and between two kills of all of them. */
const IN_FLIGHT = 8;
const STORED_MIN = 100;
/** The client waits as many times less than it would, since what it waits for is on this machine. */
const HASTE = 20;

/** Servers that keep one state between them, of which any may be killed and comes back on another port. */
class Servers implements AsyncDisposable {
  readonly #random: Random;
  readonly #config: Readonly<Record<string, unknown>>;
  readonly #dataDir = temporaryDir();
  #running: ChildServer[] = [];

  constructor(random: Random) {
    this.#random = random;
    const redis = { url: sharedRedis?.url, prefix: `kills-${process.pid}` };
    const config = { engine: "redis", master_key: "44".repeat(32), redis };
    const messaging = { history_size: 1_000_000 };
    this.#config = sharedRedis === undefined ? { messaging } : { ...config, messaging };
  }

  async start(): Promise<void> {
    const count = sharedRedis === undefined ? 1 : 2;
    while (this.#running.length < count) {
      this.#running.push(await spawnServer({ dataDir: this.#dataDir, config: this.#config }));
    }
  }

  get any(): ChildServer {
    return this.#random.pick(this.#running);
  }

  async killOne(): Promise<void> {
    const victim = this.any;
    this.#running = this.#running.filter((each) => each !== victim);
    victim.kill("SIGKILL");
    await victim.exited;
    await victim[Symbol.asyncDispose]();
  }

  client(subscriber: string, positions: ReadonlyMap<string, number> = new Map()): MessagingClient {
    const host = () => new URL(this.any.clientsUrl).host;
    class Socket extends WebSocket {
      constructor(url: string) {
        super(url.replace("server.example", host()));
      }
    }
    return new MessagingClient({
      url: "ws://server.example/messaging/websocket",
      token: () => hs256({ sub: subscriber }),
      socket: Socket,
      positions,
      environment: {
        after(ms, callback) {
          const timer = setTimeout(callback, ms / HASTE);
          return () => clearTimeout(timer);
        },
        // Also what tells its messages apart is made of it.
        random: () => this.#random.integer(2 ** 32) / 2 ** 32,
      },
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const each of this.#running) await each[Symbol.asyncDispose]();
  }
}

interface Stored {
  readonly id: string;
  readonly sequence: number;
  readonly content: string;
}

/** What was stored of a conversation, by its `with` or `channel-id`. */
class Load {
  readonly stored = new Map<string, Stored[]>();
  #count = 0;
  #wanted = { count: 0, reached: () => {} };

  add(where: string, message: Stored): void {
    const known = this.stored.get(where);
    if (known === undefined) this.stored.set(where, [message]);
    else known.push(message);
    this.#count += 1;
    if (this.#count === this.#wanted.count) this.#wanted.reached();
  }

  /** Resolves once so many more are stored. */
  more(count: number): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#wanted = { count: this.#count + count, reached: resolve };
    return promise;
  }
}

/** Writes to the channel and to the readers in turn, a few messages at a time, until it is told to stop. */
function write(client: MessagingClient, name: string, channel: string, load: Load) {
  let stopped = false;
  const lanes = Array.from({ length: IN_FLIGHT }, async (_, lane) => {
    for (let number = 0; !stopped; number++) {
      const content = `${name} ${lane} ${number}`;
      const to = ["online", "away"][number % 4];
      const sent =
        to === undefined
          ? client.request("channel-message", { "channel-id": channel, content })
          : client.request("direct-message", { to, content });
      const { "message-id": id, sequence } = await sent;
      load.add(to === undefined ? channel : `${name} ${to}`, {
        ...{ id, sequence: Number(sequence), content },
      });
    }
  });
  return async () => {
    stopped = true;
    await Promise.all(lanes);
  };
}

/** Resolves to all that the subscriber may read of a conversation. */
async function historyOf(
  server: ChildServer,
  subscriber: string,
  where: Message,
): Promise<readonly Message[]> {
  using reader = await connect(server, subscriber);
  const all: Message[] = [];
  for (;;) {
    const after = Number(all.at(-1)?.["sequence"] ?? 0);
    const page = await reader.ask({ type: "history", ...where, after, limit: 200 });
    all.push(...(page["messages"] as Message[]));
    if (page["more"] !== true) return all;
  }
}

test(
  `under load nothing is lost or doubled by kills: ${KILLS}`,
  async () => {
    const random = createRandom("Kills of a messaging server");
    await using servers = new Servers(random);
    await servers.start();
    const writers = Array.from({ length: WRITERS }, (_, at) => ({
      name: `writer-${at}`,
      client: servers.client(`writer-${at}`),
    }));
    const [first] = writers;
    const made = await first!.client.request("create-channel", { "invite-token": "kills" });
    const channel = made["channel-id"];
    const got = new Map<string, string[]>();
    const reading = (name: string, positions?: ReadonlyMap<string, number>) => {
      const client = servers.client(name, positions);
      const take = (where: string, content: string) => {
        got.set(where, got.get(where) ?? []);
        got.get(where)?.push(content);
      };
      client.on("channel-message", ({ content }) => take(`${name} ${channel}`, content));
      client.on("direct-message", ({ from, content }) => take(`${from} ${name}`, content));
      return client;
    };
    const online = reading("online");
    let away = reading("away");
    for (const client of [online, away, ...writers.slice(1).map((each) => each.client)]) {
      await client.request("join-channel", { "invite-token": "kills" });
    }
    const load = new Load();
    const stops = writers.map(({ name, client }) => write(client, name, channel, load));
    for (let kill = 0; kill < KILLS; kill++) {
      // Every other time it is away, and has its messages with the backlog.
      if (kill % 2 === 0) away.close();
      await load.more(STORED_MIN + random.integer(STORED_MIN));
      await servers.killOne();
      await servers.start();
      await load.more(STORED_MIN);
      // It has nothing of the channel until it has the first message of it.
      const positions = new Map([[`channel:${channel}`, 0], ...away.positions]);
      if (kill % 2 === 0) away = reading("away", positions);
    }
    for (const stop of stops) await stop();

    let total = 0;
    for (const [where, stored] of load.stored) {
      total += stored.length;
      const expected = stored.toSorted((a, b) => a.sequence - b.sequence);
      const [writer, to] = where.split(" ");
      const found =
        to === undefined
          ? await historyOf(servers.any, "online", { "channel-id": where })
          : await historyOf(servers.any, to, { with: writer });
      expect(found.map((each) => each["sequence"])).toEqual(found.map((_, at) => at + 1));
      expect(found.map((each) => [each["message-id"], each["content"]])).toEqual(
        expected.map(({ id, content }) => [id, content]),
      );
      const contents = expected.map(({ content }) => content);
      for (const reader of to === undefined ? [`online ${where}`, `away ${where}`] : [where]) {
        const has = () => got.get(reader) ?? [];
        await until(
          `${reader} has all of ${contents.length}, not ${has().length}`,
          async () => has().length >= contents.length,
        );
        expect(has()).toEqual(contents);
      }
    }
    console.log(`${KILLS} kills, ${total} messages stored`);
    for (const { client } of writers) client.close();
    online.close();
    away.close();
  },
  30_000 + KILLS * 20_000,
);

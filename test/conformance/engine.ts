/** What every engine owes the core: one case per promise of `src/core/engine.ts`. */
import { describe, expect, test } from "bun:test";

import {
  IDEMPOTENCY_TTL_MS,
  type AppEngine,
  type Broker,
  type ChannelEvent,
  type ChannelListener,
  type Engine,
  type HistoryLimits,
} from "../../src/core/engine.ts";
import { HubError } from "../../src/core/errors.ts";
import type { Channel, ClientInfo, NewPublication, Publication } from "../../src/core/types.ts";

export interface EngineUnderTest extends AsyncDisposable {
  /** Started, and empty but for what this suite's other engines left under other app ids. */
  readonly engine: Engine;
  /** Lets this much time pass for everything that expires, and for `ask`. */
  advance(ms: number): Promise<void>;
}

export interface EngineCapabilities {
  /** False where expiry runs on a clock that a test cannot move (a server's own): the cases of time are then skipped. */
  readonly movesTime: boolean;
}

// No round numbers: an engine that tidies up every so often must not be helped by falling in step with the cases of time.
const LIMITS: HistoryLimits = { size: 10, ttlMs: 61_234, metaTtlMs: 601_234 };
const META_TTL_MS = LIMITS.metaTtlMs;
const ROOM: Channel = { space: "channels", name: "room" };
const ALL = { limit: 1000 };

export function testEngine(
  name: string,
  create: () => Promise<EngineUnderTest>,
  { movesTime }: EngineCapabilities,
): void {
  describe(`${name}: broker`, () => testBroker(create, movesTime));
  describe(`${name}: broker, idempotency and versions`, () => testRepeats(create, movesTime));
  describe(`${name}: broker, listeners`, () => testListeners(create));
  describe(`${name}: presence`, () => testPresence(create));
  describe(`${name}: control`, () => testControl(create, movesTime));
  describe(`${name}: records`, () => testRecords(create, movesTime));
  describe(`${name}: life`, () => testLife(create));
}

type Create = () => Promise<EngineUnderTest>;

let lastApp = 0;

/** An app of its own for each case, so that cases cannot meet in an engine with a shared server. */
async function setUp(create: Create) {
  const under = await create();
  const appId = `app-${process.pid}-${(lastApp += 1)}`;
  return {
    under,
    appId,
    app: under.engine.app(appId),
    [Symbol.asyncDispose]: () => under[Symbol.asyncDispose](),
  };
}

function json(value: unknown): NewPublication {
  return { data: { json: JSON.stringify(value) } };
}

function client(connectionId: string, userId = ""): ClientInfo {
  return { connectionId, userId };
}

function recorder(): ChannelListener & { readonly events: ChannelEvent[] } {
  const events: ChannelEvent[] = [];
  return { events, onEvent: (event) => void events.push(event) };
}

/** What came, in short: a publication's data, or the event's type and connection. */
function told(events: readonly ChannelEvent[]): unknown[] {
  return events.map((event) => {
    if (event.type === "publication") return value(event.publication);
    return event.type === "gap" ? "gap" : `${event.type} ${event.client.connectionId}`;
  });
}

function value({ data }: NewPublication): unknown {
  return "json" in data ? JSON.parse(data.json) : data.bytes;
}

function values(publications: readonly Publication[]): unknown[] {
  return publications.map(value);
}

function offsets(publications: readonly Publication[]): unknown[] {
  return publications.map(({ position }) => position?.offset);
}

async function publishAll(broker: Broker, count: number, limits = LIMITS, channel = ROOM) {
  for (let number = 1; number <= count; number += 1) {
    await broker.publish(channel, json(number), { history: limits });
  }
}

async function refusal(promise: Promise<unknown>): Promise<unknown> {
  const error: unknown = await promise.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  return error instanceof HubError ? error.code : error;
}

function testBroker(create: Create, movesTime: boolean): void {
  const timed = test.skipIf(!movesTime);

  test("publish() with history counts offsets from 1 within one epoch", async () => {
    await using at = await setUp(create);
    const { broker } = at.app;
    const first = await broker.publish(ROOM, json("a"), { history: LIMITS });
    const second = await broker.publish(ROOM, json("b"), { history: LIMITS });
    expect(first?.offset).toBe(1);
    expect(first?.epoch).not.toBe("");
    expect(second).toEqual({ epoch: first?.epoch ?? "", offset: 2 });
  });

  test("publish() without history takes no offset and keeps nothing", async () => {
    await using at = await setUp(create);
    const { broker } = at.app;
    const listener = recorder();
    await broker.listen(ROOM, listener);
    expect(await broker.publish(ROOM, json("live"))).toBeUndefined();
    expect(told(listener.events)).toEqual(["live"]);
    expect(listener.events[0]).not.toHaveProperty("publication.position");
    const page = await broker.history(ROOM, ALL, META_TTL_MS);
    expect(page).toEqual({ publications: [], position: { epoch: page.position.epoch, offset: 0 } });
  });

  test("publish() resolves after this node's listeners were called", async () => {
    await using at = await setUp(create);
    const { broker } = at.app;
    const order: string[] = [];
    await broker.listen(ROOM, { onEvent: (event) => void order.push(event.type) });
    await broker.publish(ROOM, json(1), { history: LIMITS }).then(() => order.push("answer"));
    await broker
      .announce(ROOM, { type: "join", client: client("c1") })
      .then(() => order.push("told"));
    expect(order).toEqual(["publication", "answer", "join", "told"]);
  });

  test("publications reach the listener in offset order when many are in flight", async () => {
    await using at = await setUp(create);
    const { broker } = at.app;
    const listener = recorder();
    await broker.listen(ROOM, listener);
    const limits = { ...LIMITS, size: 1000 };
    const answers = await Promise.all(
      Array.from({ length: 200 }, (_, index) =>
        broker.publish(ROOM, json(index), { history: limits }),
      ),
    );
    const expected = Array.from({ length: 200 }, (_, index) => index + 1);
    expect(answers.map((answer) => answer?.offset)).toEqual(expected);
    const delivered = listener.events.flatMap((event) =>
      event.type === "publication" ? [event.publication] : [],
    );
    expect(offsets(delivered)).toEqual(expected);
    expect(values(delivered)).toEqual(expected.map((offset) => offset - 1));
    const { publications } = await broker.history(ROOM, ALL, META_TTL_MS);
    expect(publications).toEqual(delivered);
  });

  test("announce() comes in order with publications, kept or not", async () => {
    await using at = await setUp(create);
    const { broker } = at.app;
    const listener = recorder();
    await broker.listen(ROOM, listener);
    await Promise.all([
      broker.announce(ROOM, { type: "join", client: client("c1") }),
      broker.publish(ROOM, json("kept"), { history: LIMITS }),
      broker.publish(ROOM, json("live")),
      broker.announce(ROOM, { type: "leave", client: client("c1") }),
      broker.publish(ROOM, json("last"), { history: LIMITS }),
    ]);
    expect(told(listener.events)).toEqual(["join c1", "kept", "live", "leave c1", "last"]);
    const page = await broker.history(ROOM, ALL, META_TTL_MS);
    expect(values(page.publications)).toEqual(["kept", "last"]);
  });

  test("a publication comes back from history exactly as it was delivered", async () => {
    await using at = await setUp(create);
    const { broker } = at.app;
    const listener = recorder();
    await broker.listen(ROOM, listener);
    const sent: NewPublication[] = [
      { data: { json: '{"big":9007199254740993,"a":"\u2028 é 😀"}' } },
      { data: { bytes: new Uint8Array([0, 255, 1]) } },
      { data: { bytes: new Uint8Array() } },
      {
        data: { json: "null" },
        tags: { event: "message", empty: "", ключ: "значение" },
        publisher: {
          connectionId: "c1",
          userId: "u1",
          info: { json: '{"name":"Ann"}' },
          channelInfo: { bytes: new Uint8Array([200, 0, 7]) },
        },
        exceptConnectionId: "c1",
      },
    ];
    for (const publication of sent) await broker.publish(ROOM, publication, { history: LIMITS });
    const { publications } = await broker.history(ROOM, ALL, META_TTL_MS);
    expect(publications.map(({ timeMs: _timeMs, position: _position, ...rest }) => rest)).toEqual(
      sent,
    );
    expect(listener.events).toEqual(
      publications.map((publication) => ({ type: "publication", publication })),
    );
  });

  test("publish() to a full history drops the oldest", async () => {
    await using at = await setUp(create);
    const { broker } = at.app;
    await publishAll(broker, 10);
    const full = await broker.history(ROOM, ALL, META_TTL_MS);
    expect(offsets(full.publications)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
    await broker.publish(ROOM, json(11), { history: LIMITS });
    const page = await broker.history(ROOM, ALL, META_TTL_MS);
    expect(offsets(page.publications)).toEqual([2, 3, 4, 5, 6, 7, 8, 9, 10, 11]);
    expect(page.position.offset).toBe(11);
  });

  test("publish() with a smaller size drops what exceeds it", async () => {
    await using at = await setUp(create);
    const { broker } = at.app;
    await publishAll(broker, 8);
    await broker.publish(ROOM, json(9), { history: { ...LIMITS, size: 2 } });
    const page = await broker.history(ROOM, ALL, META_TTL_MS);
    expect(offsets(page.publications)).toEqual([8, 9]);
  });

  timed("a publication is dropped at its age, its offset stays taken", async () => {
    await using at = await setUp(create);
    const { broker } = at.app;
    const first = await broker.publish(ROOM, json("old"), { history: LIMITS });
    await at.under.advance(LIMITS.ttlMs - 1);
    await broker.publish(ROOM, json("young"), { history: LIMITS });
    const before = await broker.history(ROOM, ALL, META_TTL_MS);
    expect(values(before.publications)).toEqual(["old", "young"]);
    await at.under.advance(1);
    const after = await broker.history(ROOM, ALL, META_TTL_MS);
    expect(values(after.publications)).toEqual(["young"]);
    await at.under.advance(LIMITS.ttlMs);
    const empty = await broker.history(ROOM, ALL, META_TTL_MS);
    expect(empty).toEqual({ publications: [], position: { epoch: first?.epoch ?? "", offset: 2 } });
  });

  timed("epoch and top offset outlive the last publication by the meta TTL", async () => {
    await using at = await setUp(create);
    const { broker } = at.app;
    const first = await broker.publish(ROOM, json(1), { history: LIMITS });
    await at.under.advance(META_TTL_MS - 1);
    const second = await broker.publish(ROOM, json(2), { history: LIMITS });
    expect(second).toEqual({ epoch: first?.epoch ?? "", offset: 2 });
    await at.under.advance(META_TTL_MS);
    const third = await broker.publish(ROOM, json(3), { history: LIMITS });
    expect(third?.offset).toBe(1);
    expect(third?.epoch).not.toBe(first?.epoch);
    const page = await broker.history(ROOM, ALL, META_TTL_MS);
    expect(values(page.publications)).toEqual([3]);
  });

  timed("an epoch made by history() lives for the meta TTL", async () => {
    await using at = await setUp(create);
    const { broker } = at.app;
    const first = await broker.history(ROOM, { limit: 0 }, META_TTL_MS);
    await at.under.advance(META_TTL_MS - 1);
    const second = await broker.history(ROOM, { limit: 0 }, META_TTL_MS);
    expect(second).toEqual(first);
    await at.under.advance(1);
    const third = await broker.history(ROOM, { limit: 0 }, META_TTL_MS);
    expect(third.position.epoch).not.toBe(first.position.epoch);
  });

  test("history() of an empty channel makes the epoch that publications then carry", async () => {
    await using at = await setUp(create);
    const { broker } = at.app;
    const [one, two] = await Promise.all([
      broker.history(ROOM, ALL, META_TTL_MS),
      broker.history(ROOM, ALL, META_TTL_MS),
    ]);
    expect(one).toEqual(two);
    expect(one.publications).toEqual([]);
    expect(one.position.offset).toBe(0);
    expect(one.position.epoch).not.toBe("");
    const position = await broker.publish(ROOM, json(1), { history: LIMITS });
    expect(position).toEqual({ epoch: one.position.epoch, offset: 1 });
  });

  test.each([
    ["limit 0: the position only", { limit: 0 }, []],
    ["the oldest first", { limit: 3 }, [1, 2, 3]],
    ["since is exclusive", { limit: 3, sinceOffset: 2 }, [3, 4, 5]],
    ["since 0: from the start", { limit: 2, sinceOffset: 0 }, [1, 2]],
    ["since the top: nothing", { limit: 3, sinceOffset: 6 }, []],
    ["since beyond the top: nothing", { limit: 3, sinceOffset: 60 }, []],
    ["reverse: the newest first", { limit: 2, reverse: true }, [6, 5]],
    ["reverse, since is exclusive", { limit: 9, sinceOffset: 3, reverse: true }, [2, 1]],
    ["reverse since 1: nothing", { limit: 9, sinceOffset: 1, reverse: true }, []],
    ["limit 0, reverse: the position only", { limit: 0, reverse: true }, []],
  ])("history(): %s", async (_, query, expected) => {
    await using at = await setUp(create);
    const { broker } = at.app;
    await publishAll(broker, 6);
    const page = await broker.history(ROOM, query, META_TTL_MS);
    expect(offsets(page.publications)).toEqual(expected);
    expect(page.position.offset).toBe(6);
    for (const { position } of page.publications) expect(position?.epoch).toBe(page.position.epoch);
  });

  test("history() called between publications shows what listeners were given when it resolves", async () => {
    await using at = await setUp(create);
    const { broker } = at.app;
    const listener = recorder();
    await broker.listen(ROOM, listener);
    const reads = [];
    for (let number = 1; number <= 30; number += 1) {
      void broker.publish(ROOM, json(number), { history: { ...LIMITS, size: 100 } });
      reads.push(
        broker.history(ROOM, ALL, META_TTL_MS).then((page) => {
          expect(values(page.publications)).toEqual(told(listener.events));
          expect(page.position.offset).toBe(page.publications.length);
        }),
      );
      if (number % 7 === 0) await reads.at(-1);
    }
    await Promise.all(reads);
  });

  test("removeHistory() drops the publications; epoch and top offset stay", async () => {
    await using at = await setUp(create);
    const { broker } = at.app;
    await publishAll(broker, 3);
    const before = await broker.history(ROOM, ALL, META_TTL_MS);
    await broker.removeHistory(ROOM);
    const after = await broker.history(ROOM, ALL, META_TTL_MS);
    expect(after).toEqual({ publications: [], position: before.position });
    const next = await broker.publish(ROOM, json(4), { history: LIMITS });
    expect(next).toEqual({ epoch: before.position.epoch, offset: 4 });
  });

  test("removeHistory() of a channel without any is no error", async () => {
    await using at = await setUp(create);
    await at.app.broker.removeHistory(ROOM);
  });

  test("channels of one name in different spaces or apps share nothing", async () => {
    await using at = await setUp(create);
    const other = at.under.engine.app(`${at.appId}-other`);
    const aside: Channel = { space: "tasks", name: ROOM.name };
    const listeners = [recorder(), recorder(), recorder()] as const;
    await at.app.broker.listen(ROOM, listeners[0]);
    await at.app.broker.listen(aside, listeners[1]);
    await other.broker.listen(ROOM, listeners[2]);
    const options = { history: LIMITS, idempotencyKey: "same" };
    const positions = await Promise.all([
      at.app.broker.publish(ROOM, json("here"), options),
      at.app.broker.publish(aside, json("aside"), options),
      other.broker.publish(ROOM, json("there"), options),
    ]);
    expect(positions.map((position) => position?.offset)).toEqual([1, 1, 1]);
    expect(new Set(positions.map((position) => position?.epoch)).size).toBe(3);
    expect(listeners.map(({ events }) => told(events))).toEqual([["here"], ["aside"], ["there"]]);
    await at.app.broker.removeHistory(ROOM);
    const page = await other.broker.history(ROOM, ALL, META_TTL_MS);
    expect(values(page.publications)).toEqual(["there"]);
    expect((await at.app.broker.history(aside, ALL, META_TTL_MS)).publications).toHaveLength(1);
  });

  test("channel names are taken literally", async () => {
    await using at = await setUp(create);
    const { broker } = at.app;
    const names = ["", "a%", "a_", "a", "A", "a\0", "a\0b", "é", "e\u0301", "*", "a:b", "{a}", "'"];
    for (const name of names) {
      await broker.publish({ space: "channels", name }, json(name), { history: LIMITS });
    }
    for (const name of names) {
      const page = await broker.history({ space: "channels", name }, ALL, META_TTL_MS);
      expect(values(page.publications)).toEqual([name]);
    }
  });
}

function testRepeats(create: Create, movesTime: boolean): void {
  const timed = test.skipIf(!movesTime);

  test("a repeated idempotency key answers the first result and publishes nothing", async () => {
    await using at = await setUp(create);
    const { broker } = at.app;
    const listener = recorder();
    await broker.listen(ROOM, listener);
    const options = { history: LIMITS, idempotencyKey: "k" };
    const first = await broker.publish(ROOM, json("first"), options);
    await broker.publish(ROOM, json("between"), { history: LIMITS });
    expect(await broker.publish(ROOM, json("again"), options)).toEqual(first);
    expect(told(listener.events)).toEqual(["first", "between"]);
    const page = await broker.history(ROOM, ALL, META_TTL_MS);
    expect(values(page.publications)).toEqual(["first", "between"]);
  });

  test("racing calls with one key publish once and answer alike", async () => {
    await using at = await setUp(create);
    const { broker } = at.app;
    const listener = recorder();
    await broker.listen(ROOM, listener);
    const answers = await Promise.all(
      Array.from({ length: 20 }, () =>
        broker.publish(ROOM, json("once"), { history: LIMITS, idempotencyKey: "k" }),
      ),
    );
    expect(new Set(answers.map((answer) => JSON.stringify(answer))).size).toBe(1);
    expect(answers[0]?.offset).toBe(1);
    expect(told(listener.events)).toEqual(["once"]);
  });

  test("a key holds for publications without history too", async () => {
    await using at = await setUp(create);
    const { broker } = at.app;
    const listener = recorder();
    await broker.listen(ROOM, listener);
    const publish = () => broker.publish(ROOM, json("live"), { idempotencyKey: "k" });
    expect(await Promise.all([publish(), publish()])).toEqual([undefined, undefined]);
    expect(await publish()).toBeUndefined();
    expect(told(listener.events)).toEqual(["live"]);
  });

  test("a key counts for its own channel only", async () => {
    await using at = await setUp(create);
    const { broker } = at.app;
    const options = { history: LIMITS, idempotencyKey: "k" };
    await broker.publish(ROOM, json(1), options);
    const other = await broker.publish({ ...ROOM, name: "other" }, json(1), options);
    expect(other?.offset).toBe(1);
  });

  timed("a key is forgotten after the idempotency TTL", async () => {
    await using at = await setUp(create);
    const { broker } = at.app;
    const options = { history: LIMITS, idempotencyKey: "k" };
    const first = await broker.publish(ROOM, json(1), options);
    await at.under.advance(IDEMPOTENCY_TTL_MS - 1);
    expect(await broker.publish(ROOM, json(1), options)).toEqual(first);
    await at.under.advance(1);
    expect((await broker.publish(ROOM, json(1), options))?.offset).toBe(2);
  });

  test("a version not above the last one is dropped and answers the current position", async () => {
    await using at = await setUp(create);
    const { broker } = at.app;
    const listener = recorder();
    await broker.listen(ROOM, listener);
    const publish = (version: number) =>
      broker.publish(ROOM, json(version), { history: LIMITS, version });
    await publish(5);
    const top = await broker.publish(ROOM, json("unversioned"), { history: LIMITS });
    expect(await publish(5)).toEqual(top);
    expect(await publish(4)).toEqual(top);
    expect((await publish(6))?.offset).toBe(3);
    expect(told(listener.events)).toEqual([5, "unversioned", 6]);
  });

  test("versions are compared under the same version epoch only", async () => {
    await using at = await setUp(create);
    const { broker } = at.app;
    const publish = (version: number, versionEpoch: string) =>
      broker.publish(ROOM, json(version), { history: LIMITS, version, versionEpoch });
    await publish(9, "a");
    expect((await publish(1, "b"))?.offset).toBe(2);
    expect((await publish(1, "b"))?.offset).toBe(2);
    expect((await publish(2, "b"))?.offset).toBe(3);
  });

  test("racing publishes of one version store it once", async () => {
    await using at = await setUp(create);
    const { broker } = at.app;
    const publish = () => broker.publish(ROOM, json(1), { history: LIMITS, version: 1 });
    const answers = await Promise.all([publish(), publish(), publish()]);
    expect(answers.map((answer) => answer?.offset)).toEqual([1, 1, 1]);
  });

  test("without history a version changes nothing", async () => {
    await using at = await setUp(create);
    const { broker } = at.app;
    const listener = recorder();
    await broker.listen(ROOM, listener);
    await broker.publish(ROOM, json("a"), { version: 2 });
    await broker.publish(ROOM, json("b"), { version: 1 });
    expect(told(listener.events)).toEqual(["a", "b"]);
  });
}

function testListeners(create: Create): void {
  test("unlisten() ends events at the call, also of publications under way", async () => {
    await using at = await setUp(create);
    const { broker } = at.app;
    const listener = recorder();
    await broker.listen(ROOM, listener);
    await broker.publish(ROOM, json("before"));
    const underWay = broker.publish(ROOM, json("under way"), { history: LIMITS });
    const ended = broker.unlisten(ROOM, listener);
    await underWay;
    await ended;
    await broker.publish(ROOM, json("after"));
    expect(told(listener.events)).toEqual(["before"]);
  });

  test("unlisten() within an event ends events at once", async () => {
    await using at = await setUp(create);
    const { broker } = at.app;
    const events: ChannelEvent[] = [];
    const listener: ChannelListener = {
      onEvent(event) {
        events.push(event);
        void broker.unlisten(ROOM, listener);
      },
    };
    await broker.listen(ROOM, listener);
    await Promise.all([broker.publish(ROOM, json(1)), broker.publish(ROOM, json(2))]);
    expect(told(events)).toEqual([1]);
  });

  test("unlisten() of a listener that is not listening changes nothing", async () => {
    await using at = await setUp(create);
    const { broker } = at.app;
    const listener = recorder();
    await broker.unlisten(ROOM, recorder());
    await broker.listen(ROOM, listener);
    await broker.unlisten(ROOM, recorder());
    await broker.publish(ROOM, json("still"));
    expect(told(listener.events)).toEqual(["still"]);
  });

  test("a listener hears its own channel only", async () => {
    await using at = await setUp(create);
    const { broker } = at.app;
    const listener = recorder();
    await broker.listen(ROOM, listener);
    await broker.publish({ ...ROOM, name: "other" }, json("elsewhere"));
    await broker.announce({ ...ROOM, name: "other" }, { type: "join", client: client("c") });
    await broker.publish(ROOM, json("here"));
    expect(told(listener.events)).toEqual(["here"]);
  });

  test("a listener that publishes is told of it behind what it has yet to hear", async () => {
    await using at = await setUp(create);
    const { broker } = at.app;
    const events: ChannelEvent[] = [];
    const { promise: echoed, resolve } = Promise.withResolvers<void>();
    await broker.listen(ROOM, {
      onEvent(event) {
        events.push(event);
        if (told([event])[0] === 1) {
          void broker.publish(ROOM, json("echo"), { history: LIMITS }).then(() => resolve());
        }
      },
    });
    const publish = (number: number) => broker.publish(ROOM, json(number), { history: LIMITS });
    await Promise.all([publish(1), publish(2)]);
    await echoed;
    expect(told(events)).toEqual([1, 2, "echo"]);
    const page = await broker.history(ROOM, ALL, META_TTL_MS);
    expect(values(page.publications)).toEqual([1, 2, "echo"]);
  });

  test("history() read by a listener shows nothing that it was not handed", async () => {
    await using at = await setUp(create);
    const { broker } = at.app;
    const events: ChannelEvent[] = [];
    const reads: Promise<void>[] = [];
    await broker.listen(ROOM, {
      onEvent(event) {
        events.push(event);
        reads.push(
          broker.history(ROOM, ALL, META_TTL_MS).then((page) => {
            expect(values(page.publications)).toEqual(told(events));
          }),
        );
      },
    });
    const publish = (number: number) => broker.publish(ROOM, json(number), { history: LIMITS });
    await Promise.all([publish(1), publish(2), publish(3)]);
    expect(reads).toHaveLength(3);
    await Promise.all(reads);
  });
}

function testPresence(create: Create): void {
  test("put() adds, renews and replaces the entry of a connection", async () => {
    await using at = await setUp(create);
    const { presence } = at.app;
    const ann: ClientInfo = {
      ...client("c1", "ann"),
      info: { json: '{"n":1}' },
      channelInfo: { bytes: new Uint8Array([1, 200]) },
    };
    await presence.put(ROOM, client("c1"));
    await presence.put(ROOM, ann);
    await presence.put(ROOM, ann);
    expect(await presence.list(ROOM)).toEqual([ann]);
  });

  test("remove() takes one connection away; an absent one is no error", async () => {
    await using at = await setUp(create);
    const { presence } = at.app;
    await presence.put(ROOM, client("c1", "ann"));
    await presence.put(ROOM, client("c2", "ann"));
    await presence.remove(ROOM, "c1");
    await presence.remove(ROOM, "c1");
    expect(await presence.list(ROOM)).toEqual([client("c2", "ann")]);
    await presence.remove(ROOM, "c2");
    expect(await presence.list(ROOM)).toEqual([]);
    await presence.put(ROOM, client("c3"));
    expect(await presence.list(ROOM)).toEqual([client("c3")]);
  });

  test("stats() counts connections, and all anonymous ones as one user", async () => {
    await using at = await setUp(create);
    const { presence } = at.app;
    expect(await presence.stats(ROOM)).toEqual({ clients: 0, users: 0 });
    for (const [connectionId, userId] of [
      ["c1", "ann"],
      ["c2", "ann"],
      ["c3", "bob"],
      ["c4", ""],
      ["c5", ""],
    ] as const) {
      await presence.put(ROOM, client(connectionId, userId));
    }
    expect(await presence.stats(ROOM)).toEqual({ clients: 5, users: 3 });
  });

  test("presence is kept apart by app, space and name", async () => {
    await using at = await setUp(create);
    const other = at.under.engine.app(`${at.appId}-other`);
    await at.app.presence.put(ROOM, client("c1"));
    expect(await other.presence.list(ROOM)).toEqual([]);
    expect(await at.app.presence.list({ ...ROOM, space: "tasks" })).toEqual([]);
    expect(await at.app.presence.list({ ...ROOM, name: "other" })).toEqual([]);
  });
}

function testControl(create: Create, movesTime: boolean): void {
  const timed = test.skipIf(!movesTime);
  const DEADLINE_MS = 1000;

  test("ask() gathers this node's own answer", async () => {
    await using at = await setUp(create);
    const { control } = at.app;
    control.serve((request) => ({ heard: request }));
    const request = { op: "count", of: ["a", null, 1.5] };
    const { answers, nodesAsked } = await control.ask(request, DEADLINE_MS);
    expect(answers).toEqual([{ heard: request }]);
    expect(nodesAsked).toBe(1);
  });

  test("ask() awaits a handler that answers later", async () => {
    await using at = await setUp(create);
    const { control } = at.app;
    control.serve(async (request) => {
      await Promise.resolve();
      return request;
    });
    expect((await control.ask(7, DEADLINE_MS)).answers).toEqual([7]);
  });

  timed("ask() gives up on a handler at the deadline", async () => {
    await using at = await setUp(create);
    const { control } = at.app;
    const { promise, resolve } = Promise.withResolvers<unknown>();
    control.serve(() => promise);
    const asked = control.ask("slow", DEADLINE_MS);
    await at.under.advance(DEADLINE_MS);
    expect(await asked).toEqual({ answers: [], nodesAsked: 1 });
    resolve("too late");
  });

  test("ask() reaches handlers of its own app only", async () => {
    await using at = await setUp(create);
    const other = at.under.engine.app(`${at.appId}-other`);
    at.app.control.serve(() => "here");
    other.control.serve(() => "there");
    expect((await at.app.control.ask("where", DEADLINE_MS)).answers).toEqual(["here"]);
    expect((await other.control.ask("where", DEADLINE_MS)).answers).toEqual(["there"]);
  });

  test("a node has one id, the same for every app", async () => {
    await using at = await setUp(create);
    const other = at.under.engine.app(`${at.appId}-other`);
    expect(at.app.control.nodeId).not.toBe("");
    expect(other.control.nodeId).toBe(at.app.control.nodeId);
  });
}

function testRecords(create: Create, movesTime: boolean): void {
  const timed = test.skipIf(!movesTime);

  test("get() gives what put() stored, with its version", async () => {
    await using at = await setUp(create);
    const { records } = at.app;
    expect(await records.get("k")).toBeUndefined();
    const values = ["", '{"a":"é😀"}', "a\0b", "x".repeat(100_000)];
    for (const text of values) {
      const version = await records.put("k", text);
      expect(await records.get("k")).toEqual({ key: "k", value: text, version: version ?? 0 });
    }
  });

  test("a version never comes back, also after a delete", async () => {
    await using at = await setUp(create);
    const { records } = at.app;
    const versions = new Set<number | undefined>();
    for (let round = 0; round < 5; round += 1) {
      versions.add(await records.put("k", "same"));
      versions.add(await records.put("k", "same"));
      await records.delete("k");
    }
    expect(versions.size).toBe(10);
    expect(versions.has(undefined)).toBe(false);
    expect(versions.has(0)).toBe(false);
  });

  test("put() with a version replaces only that version", async () => {
    await using at = await setUp(create);
    const { records } = at.app;
    expect(await records.put("k", "a", { ifVersion: 12_345 })).toBeUndefined();
    const first = await records.put("k", "a");
    const second = await records.put("k", "b", { ifVersion: first ?? 0 });
    expect(second).toBeDefined();
    expect(await records.put("k", "c", { ifVersion: first ?? 0 })).toBeUndefined();
    expect((await records.get("k"))?.value).toBe("b");
  });

  test("put() with version 0 puts only where there is none", async () => {
    await using at = await setUp(create);
    const { records } = at.app;
    expect(await records.put("k", "a", { ifVersion: 0 })).toBeDefined();
    expect(await records.put("k", "b", { ifVersion: 0 })).toBeUndefined();
    await records.delete("k");
    expect(await records.put("k", "c", { ifVersion: 0 })).toBeDefined();
  });

  test("of racing puts under one condition the first wins alone", async () => {
    await using at = await setUp(create);
    const { records } = at.app;
    const answers = await Promise.all(
      Array.from({ length: 10 }, (_, index) => records.put("k", `${index}`, { ifVersion: 0 })),
    );
    expect(answers.filter((answer) => answer !== undefined)).toHaveLength(1);
    const winner = answers.findIndex((answer) => answer !== undefined);
    expect((await records.get("k"))?.value).toBe(`${winner}`);
  });

  test("delete() tells whether it deleted, and honours a version", async () => {
    await using at = await setUp(create);
    const { records } = at.app;
    expect(await records.delete("k")).toBe(false);
    const version = (await records.put("k", "a")) ?? 0;
    expect(await records.delete("k", { ifVersion: version + 1 })).toBe(false);
    expect(await records.delete("k", { ifVersion: 0 })).toBe(false);
    expect(await records.get("k")).toBeDefined();
    expect(await records.delete("k", { ifVersion: version })).toBe(true);
    expect(await records.get("k")).toBeUndefined();
    expect(await records.delete("k", { ifVersion: 0 })).toBe(false);
  });

  timed("a record is absent once its TTL has passed, for every call", async () => {
    await using at = await setUp(create);
    const { records } = at.app;
    const version = (await records.put("k", "a", { ttlMs: 1000 })) ?? 0;
    await records.put("stays", "b");
    await at.under.advance(999);
    expect(await records.get("k")).toBeDefined();
    await at.under.advance(1);
    expect(await records.get("k")).toBeUndefined();
    expect((await records.list("", { limit: 9 })).map(({ key }) => key)).toEqual(["stays"]);
    expect(await records.put("k", "c", { ifVersion: version })).toBeUndefined();
    expect(await records.delete("k")).toBe(false);
    const next = await records.put("k", "c", { ifVersion: 0 });
    expect(next).toBeDefined();
    expect(next).not.toBe(version);
  });

  timed("put() sets the TTL anew, and none keeps it for ever", async () => {
    await using at = await setUp(create);
    const { records } = at.app;
    await records.put("k", "a", { ttlMs: 1000 });
    await records.put("k", "b");
    await at.under.advance(60_000);
    expect((await records.get("k"))?.value).toBe("b");
  });

  test("list() gives the prefix's keys in byte order, whatever signs they hold", async () => {
    await using at = await setUp(create);
    const { records } = at.app;
    // U+FFFF sorts below U+10000 by bytes, and above it by UTF-16 units.
    const keys = [
      "a",
      "a%",
      "a%b",
      "a%\u{ffff}",
      "a%\u{10000}",
      "a%\u{10ffff}z",
      "a_",
      "aé",
      "b",
      "B",
    ];
    for (const key of [...keys].reverse()) await records.put(key, "v");
    const list = async (prefix: string) =>
      (await records.list(prefix, { limit: 100 })).map(({ key }) => key);
    expect(await list("a%")).toEqual(["a%", "a%b", "a%\u{ffff}", "a%\u{10000}", "a%\u{10ffff}z"]);
    expect(await list("a_")).toEqual(["a_"]);
    expect(await list("A")).toEqual([]);
    expect(await list("")).toEqual(["B", ...keys.filter((key) => key !== "B")]);
  });

  test("list() goes on behind `after`, up to the limit", async () => {
    await using at = await setUp(create);
    const { records } = at.app;
    for (const key of ["p:1", "p:2", "p:3", "p:4", "q:1"]) await records.put(key, key);
    const list = async (options: { after?: string; limit: number }) =>
      (await records.list("p:", options)).map(({ value: text }) => text);
    expect(await list({ limit: 2 })).toEqual(["p:1", "p:2"]);
    expect(await list({ limit: 2, after: "p:2" })).toEqual(["p:3", "p:4"]);
    expect(await list({ limit: 2, after: "p:4" })).toEqual([]);
    expect(await list({ limit: 2, after: "p:25" })).toEqual(["p:3", "p:4"]);
    expect(await list({ limit: 2, after: "a" })).toEqual(["p:1", "p:2"]);
    expect(await list({ limit: 2, after: "z" })).toEqual([]);
  });

  test("records of apps are kept apart", async () => {
    await using at = await setUp(create);
    const other = at.under.engine.app(`${at.appId}-other`);
    await at.app.records.put("k", "here");
    expect(await other.records.get("k")).toBeUndefined();
    expect(await other.records.list("", { limit: 9 })).toEqual([]);
    expect(await other.records.delete("k")).toBe(false);
    expect(await other.records.put("k", "there", { ifVersion: 0 })).toBeDefined();
    expect((await at.app.records.get("k"))?.value).toBe("here");
  });
}

function testLife(create: Create): void {
  test("app() gives the same view for the same id", async () => {
    await using at = await setUp(create);
    expect(at.under.engine.app(at.appId)).toBe(at.app);
  });

  test("health() of a started engine is ready", async () => {
    await using at = await setUp(create);
    expect(await at.under.engine.health()).toEqual({ ready: true });
  });

  test("a close answers what was asked before it, then refuses as unavailable", async () => {
    await using at = await setUp(create);
    const { broker, presence, control, records }: AppEngine = at.app;
    control.serve(() => "answer");
    const published = broker.publish(ROOM, json(1), { history: LIMITS });
    const put = records.put("k", "v");
    await at.under.engine[Symbol.asyncDispose]();
    expect((await published)?.offset).toBe(1);
    expect(await put).toBeDefined();
    const listener = recorder();
    const calls = [
      () => broker.publish(ROOM, json(1)),
      () => broker.publish(ROOM, json(1), { history: LIMITS }),
      () => broker.announce(ROOM, { type: "join", client: client("c") }),
      () => broker.listen(ROOM, listener),
      () => broker.unlisten(ROOM, listener),
      () => broker.history(ROOM, ALL, META_TTL_MS),
      () => broker.removeHistory(ROOM),
      () => presence.put(ROOM, client("c")),
      () => presence.remove(ROOM, "c"),
      () => presence.list(ROOM),
      () => presence.stats(ROOM),
      () => control.ask(1, 1000),
      () => records.get("k"),
      () => records.put("k", "v"),
      () => records.delete("k"),
      () => records.list("", { limit: 1 }),
    ];
    const refusals = await Promise.all(calls.map((call) => refusal(call())));
    expect(refusals).toEqual(calls.map(() => "unavailable"));
    expect((await at.under.engine.health()).ready).toBe(false);
    await at.under.engine[Symbol.asyncDispose]();
  });
}

/** Publishing: offsets, what reaches the listeners and in what order, and that channels share nothing. */
import { expect, test } from "bun:test";
import type { Channel, NewPublication } from "../../../src/core/types.ts";
import {
  ALL,
  client,
  type Create,
  json,
  LIMITS,
  META_TTL_MS,
  offsets,
  recorder,
  ROOM,
  setUp,
  told,
  values,
} from "./under-test.ts";
import { compactJson } from "../../../src/core/json-text.ts";

export function testBroker(create: Create): void {
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

  test("announce() says where the stream stands, on an engine that may lose events", async () => {
    await using at = await setUp(create);
    const { broker } = at.app;
    const listener = recorder();
    await broker.listen(ROOM, listener);
    const note = { dialect: "test", json: compactJson('{"line":"\\n","é":9007199254740993}') };
    const positioned = { positioned: true };
    await broker.publish(ROOM, json(1), { history: LIMITS });
    const position = await broker.publish(ROOM, json(2), { history: LIMITS });
    await broker.announce(ROOM, { type: "note", note }, positioned);
    await broker.announce(ROOM, { type: "join", client: client("c1") }, positioned);
    await broker.announce(ROOM, { type: "note", note });
    const after = broker.lossless || position === undefined ? {} : { after: position };
    expect(listener.events.slice(2)).toEqual([
      { type: "note", note, ...after },
      { type: "join", client: client("c1"), ...after },
      { type: "note", note },
    ]);
  });

  test("announce() to a channel without a stream says nothing of one", async () => {
    await using at = await setUp(create);
    const { broker } = at.app;
    const listener = recorder();
    await broker.listen(ROOM, listener);
    const note = { dialect: "test", json: compactJson("{}") };
    await broker.announce(ROOM, { type: "note", note }, { positioned: true });
    expect(listener.events).toEqual([{ type: "note", note }]);
  });

  test("a publication comes back from history exactly as it was delivered", async () => {
    await using at = await setUp(create);
    const { broker } = at.app;
    const listener = recorder();
    await broker.listen(ROOM, listener);
    const sent: NewPublication[] = [
      { data: { json: compactJson('{"big":9007199254740993,"a":"\u2028 é 😀"}') } },
      { data: { bytes: new Uint8Array([0, 255, 1]) } },
      { data: { bytes: new Uint8Array() } },
      {
        data: { json: compactJson("null") },
        tags: { event: "message", empty: "", ключ: "значение" },
        publisher: {
          connectionId: "c1",
          userId: "u1",
          info: { json: compactJson('{"name":"Ann"}') },
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

/** Listening to a channel: what a listener is told, until when, and what it may do meanwhile. */
import { expect, test } from "bun:test";
import type { ChannelEvent, ChannelListener } from "../../../src/core/engine.ts";
import {
  ALL,
  client,
  type Create,
  expectInStep,
  json,
  LIMITS,
  META_TTL_MS,
  recorder,
  ROOM,
  setUp,
  told,
  values,
} from "./under-test.ts";

export function testListeners(create: Create): void {
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
            expectInStep(broker, values(page.publications), told(events));
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

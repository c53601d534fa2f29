/** Repeated publishes: what an idempotency key and a version hold back, and what they answer. */
import { expect, test } from "bun:test";
import { IDEMPOTENCY_TTL_MS } from "../../../src/core/engine.ts";
import {
  ALL,
  type Create,
  json,
  LIMITS,
  META_TTL_MS,
  recorder,
  ROOM,
  setUp,
  told,
  values,
} from "./under-test.ts";

export function testRepeats(create: Create, movesTime: boolean): void {
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
      broker.publish(ROOM, { ...json(version), version }, { history: LIMITS });
    await publish(5);
    const top = await broker.publish(ROOM, json("unversioned"), { history: LIMITS });
    expect(await publish(5)).toEqual(top);
    expect(await publish(4)).toEqual(top);
    expect((await publish(6))?.offset).toBe(3);
    expect(told(listener.events)).toEqual([5, "unversioned", 6]);
    const page = await broker.history(ROOM, ALL, META_TTL_MS);
    expect(page.publications.map(({ version }) => version)).toEqual([5, undefined, 6]);
  });

  test("versions are compared under the same version epoch only", async () => {
    await using at = await setUp(create);
    const { broker } = at.app;
    const publish = (version: number, versionEpoch: string) =>
      broker.publish(ROOM, { ...json(version), version }, { history: LIMITS, versionEpoch });
    await publish(9, "a");
    expect((await publish(1, "b"))?.offset).toBe(2);
    expect((await publish(1, "b"))?.offset).toBe(2);
    expect((await publish(2, "b"))?.offset).toBe(3);
  });

  test("racing publishes of one version store it once", async () => {
    await using at = await setUp(create);
    const { broker } = at.app;
    const publish = () => broker.publish(ROOM, { ...json(1), version: 1 }, { history: LIMITS });
    const answers = await Promise.all([publish(), publish(), publish()]);
    expect(answers.map((answer) => answer?.offset)).toEqual([1, 1, 1]);
  });

  test("without history a version changes nothing", async () => {
    await using at = await setUp(create);
    const { broker } = at.app;
    const listener = recorder();
    await broker.listen(ROOM, listener);
    await broker.publish(ROOM, { ...json("a"), version: 2 });
    await broker.publish(ROOM, { ...json("b"), version: 1 });
    expect(told(listener.events)).toEqual(["a", "b"]);
    const versions = listener.events.map(
      (event) => event.type === "publication" && event.publication.version,
    );
    expect(versions).toEqual([2, 1]);
  });
}

/** An engine from its start to its close. */
import { expect, test } from "bun:test";
import type { AppEngine } from "../../../src/core/engine.ts";
import { HubError } from "../../../src/core/errors.ts";
import {
  ALL,
  client,
  type Create,
  json,
  LIMITS,
  META_TTL_MS,
  recorder,
  ROOM,
  setUp,
} from "./under-test.ts";

async function refusal(promise: Promise<unknown>): Promise<unknown> {
  const error: unknown = await promise.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  return error instanceof HubError ? error.code : error;
}

export function testLife(create: Create): void {
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
    const { broker, presence, control, records, queue }: AppEngine = at.app;
    control.serve(() => "answer");
    const published = broker.publish(ROOM, json(1), { history: LIMITS });
    const put = records.put("k", "v");
    const added = queue.add("q", { payload: "", id: "job" });
    const lease = { id: "job", lease: "" };
    await at.under.engine[Symbol.asyncDispose]();
    expect((await published)?.offset).toBe(1);
    expect(await put).toBeDefined();
    expect(await added).toBe("job");
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
      () => queue.add("q", { payload: "" }),
      () => queue.take("q", { limit: 1, leaseMs: 1000 }),
      () => queue.done("q", lease),
      () => queue.retry("q", lease, 0),
      () => queue.watch("q", () => {}),
      () => queue.counts("q"),
    ];
    const refusals = await Promise.all(calls.map((call) => refusal(call())));
    expect(refusals).toEqual(calls.map(() => "unavailable"));
    expect((await at.under.engine.health()).ready).toBe(false);
    await at.under.engine[Symbol.asyncDispose]();
  });
}

/** One transaction for all writes of a turn: what a failed one takes with it, and what it does not. */
import { join } from "node:path";
import { describe, expect, test } from "bun:test";
import type { ChannelEvent } from "../../core/engine.ts";
import { HubError } from "../../core/errors.ts";
import { ALL, data, LIMITS, ROOM, start, useDirs } from "./test-engine.ts";

const newDir = useDirs();

/** Room for the tables and a little more, but not for LARGE. */
const FILE_BYTES_MAX = 40 * 4096;
const LARGE = "x".repeat(60 * 4096);

describe("the group commit", () => {
  test("writes all publishes of a turn in one transaction", async () => {
    const dataDir = newDir();
    await using run = await start({ dataDir, fileBytesMax: FILE_BYTES_MAX });
    const small = () => run.broker.publish(ROOM, data("small"), { history: LIMITS });
    const large = () => run.broker.publish(ROOM, data(LARGE), { history: LIMITS });
    // One write that cannot be made undoes those of its turn, and of no other.
    const before = small();
    await before;
    const turn = await Promise.allSettled([small(), large(), small()]);
    expect(turn.map(({ status }) => status)).toEqual(["rejected", "rejected", "rejected"]);
    expect((await small())?.offset).toBe(2);
  });

  test("that fails rejects what writes, hands none of it out, and lets the rest through", async () => {
    const dataDir = newDir();
    await using run = await start({ dataDir, fileBytesMax: FILE_BYTES_MAX });
    const events: ChannelEvent[] = [];
    await run.broker.listen(ROOM, { onEvent: (event) => void events.push(event) });
    await run.records.put("k", "before");
    const joined = { type: "join", client: { connectionId: "c", userId: "" } } as const;
    const [kept, live, keyed, put, announced, page] = await Promise.allSettled([
      run.broker.publish(ROOM, data(LARGE), { history: LIMITS }),
      run.broker.publish(ROOM, data("live")),
      run.broker.publish(ROOM, data("keyed"), { idempotencyKey: "k" }),
      run.records.put("k", "after"),
      run.broker.announce(ROOM, joined),
      run.broker.history(ROOM, ALL, LIMITS.metaTtlMs),
    ]);
    for (const outcome of [kept, keyed, put, page]) {
      const error: unknown = outcome.status === "rejected" ? outcome.reason : undefined;
      expect(error).toBeInstanceOf(HubError);
      expect(error).toMatchObject({ code: "unavailable", cause: { code: "SQLITE_FULL" } });
    }
    expect(live.status).toBe("fulfilled");
    expect(announced.status).toBe("fulfilled");
    expect(events.map(({ type }) => type)).toEqual(["publication", "join"]);
    expect(events[0]).toHaveProperty("publication.data.json", '"live"');
    expect((await run.records.get("k"))?.value).toBe("before");
    expect(run.bugs).toEqual([]);
  });

  test("that failed shows in health() until the disk takes a write again", async () => {
    const dataDir = newDir();
    await using run = await start({ dataDir, fileBytesMax: FILE_BYTES_MAX });
    await run.broker.publish(ROOM, data(LARGE), { history: LIMITS }).catch(() => {});
    expect(await run.engine.health()).toEqual({ ready: true });
    let keys = 0;
    const room = () => run.records.put(`k${(keys += 1)}`, "x".repeat(4000));
    let full: unknown;
    while (full === undefined)
      full = await room().then(
        () => undefined,
        (error: unknown) => error,
      );
    expect(full).toMatchObject({ code: "unavailable" });
    expect(await run.engine.health()).toEqual({
      ready: false,
      reason: `Cannot write to the database "${join(dataDir, "carillon.db")}": the disk is full`,
    });
    for (const { key } of await run.records.list("", { limit: 1000 }))
      await run.records.delete(key);
    expect(await run.engine.health()).toEqual({ ready: true });
    await room();
  });

  test("serves the other listeners when one throws, and reports what it threw", async () => {
    await using run = await start();
    const bug = new Error("listener's own");
    const heard: string[] = [];
    await run.broker.listen(ROOM, {
      onEvent() {
        throw bug;
      },
    });
    const other = { ...ROOM, name: "other" };
    await run.broker.listen(other, { onEvent: ({ type }) => void heard.push(type) });
    const published = await Promise.all([
      run.broker.publish(ROOM, data(1), { history: LIMITS }),
      run.broker.publish(other, data(2), { history: LIMITS }),
    ]);
    expect(published.map((position) => position?.offset)).toEqual([1, 1]);
    expect(heard).toEqual(["publication"]);
    expect(run.bugs).toEqual([bug]);
  });
});

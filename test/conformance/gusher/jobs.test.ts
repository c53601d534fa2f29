/** How workers come by remote jobs: our own call next to the original's Redis lists (gusher.md §8). */
import { describe, expect, test } from "bun:test";
import { HubError } from "../../../src/core/errors.ts";
import {
  bootGusher,
  openGusher,
  type GusherClient,
  type GusherServer,
} from "../../support/gusher.ts";
import { callMaster, ok, refused } from "../../support/gusher-master.ts";
import { until } from "../../support/hostile.ts";

interface Job {
  readonly id: string;
  readonly lease: string;
  readonly attempt: number;
  readonly job: unknown;
}

const PATH = "/jobs/TEST/chat";

async function take(server: GusherServer, fields?: Record<string, string>): Promise<Job[]> {
  const { status, body } = await callMaster(server, `${PATH}/take`, fields);
  if (status !== 200) throw new Error(`${status} ${body}`);
  return (JSON.parse(body) as { jobs: Job[] }).jobs;
}

const done = (server: GusherServer, jobs: readonly object[]) =>
  callMaster(server, `${PATH}/done`, { jobs: JSON.stringify(jobs) });

async function ask(client: GusherClient, uid: string): Promise<void> {
  await client.ask("gusher.remote", { remote: "chat", uid, payload: { n: 1 } }, { debug: true });
}

const uids = (jobs: readonly Job[]) => jobs.map(({ job }) => (job as { uid: string }).uid);

describe("take and done", () => {
  test("give each job once, as it was queued, in its order", async () => {
    await using server = await bootGusher();
    using client = await openGusher(server);
    const socket_id = await client.socketId();
    for (const uid of ["q1", "q2", "q3"]) await ask(client, uid);
    const [first, ...rest] = await take(server);
    expect(rest).toEqual([]);
    const about = { user_id: "u1", socket_id, uid: "q1", app_key: "TEST", data: { n: 1 } };
    expect(first).toEqual({
      ...{ id: expect.any(String) as string, lease: expect.any(String) as string },
      ...{ attempt: 1, job: about },
    });
    const others = await take(server, { limit: "100" });
    expect(uids(others)).toEqual(["q2", "q3"]);
    expect(await take(server)).toEqual([]);
    expect(await done(server, others)).toEqual(ok('{"done":2,"lost":0}'));
    expect(await done(server, others)).toEqual(ok('{"done":0,"lost":2}'));
  });

  test("a worker that does not say so loses its job to the next", async () => {
    await using server = await bootGusher();
    using client = await openGusher(server);
    await ask(client, "q1");
    const [lost] = await take(server, { lease: "10" });
    await server.advance(9_900);
    expect(await take(server)).toEqual([]);
    await server.advance(200);
    const [again] = await take(server);
    expect(again).toMatchObject({ id: lost?.id ?? "", attempt: 2 });
    expect(await done(server, [lost ?? {}])).toEqual(ok('{"done":0,"lost":1}'));
    expect(await done(server, [again ?? {}])).toEqual(ok('{"done":1,"lost":0}'));
  });

  test("each remote of each app is a queue of its own", async () => {
    await using server = await bootGusher();
    using client = await openGusher(server);
    await ask(client, "q1");
    for (const path of ["/jobs/TEST/off/take", "/jobs/UNKNOWN/chat/take"]) {
      expect(await callMaster(server, path)).toEqual(ok('{"jobs":[]}'));
    }
    expect(uids(await take(server))).toEqual(["q1"]);
  });

  test.each([
    ["take", { limit: "0" }, "limit error"],
    ["take", { limit: "101" }, "limit error"],
    ["take", { limit: "-1" }, "limit error"],
    ["take", { limit: "1.5" }, "limit error"],
    ["take", { limit: "99999999999" }, "limit error"],
    ["take", { lease: "0" }, "lease error"],
    ["take", { lease: "3601" }, "lease error"],
    ["take", { lease: "x" }, "lease error"],
    ["take", { wait: "61" }, "wait error"],
    ["done", {}, "empty jobs"],
    ["done", { jobs: "x" }, "jobs error"],
    ["done", { jobs: "{}" }, "jobs error"],
    ["done", { jobs: "[1]" }, "jobs error"],
    ["done", { jobs: '[{"id":"a"}]' }, "jobs error"],
    ["done", { jobs: '[{"id":"a","lease":1}]' }, "jobs error"],
    ["done", { jobs: JSON.stringify(Array(1001).fill({ id: "a", lease: "b" })) }, "jobs error"],
  ])("%s %j", async (call, fields, text) => {
    await using server = await bootGusher();
    expect(await callMaster(server, `${PATH}/${call}`, fields)).toEqual(refused(text));
  });
});

describe("waiting for a job", () => {
  /** Resolves once the call waits: its watch has begun. */
  function watched(server: GusherServer): Promise<void> {
    const { queue } = server.engine.app("TEST");
    const watch = queue.watch.bind(queue);
    const began = Promise.withResolvers<void>();
    queue.watch = async (...watching) => {
      const unwatch = await watch(...watching);
      began.resolve();
      return unwatch;
    };
    return began.promise;
  }

  test("ends with the first one", async () => {
    await using server = await bootGusher();
    using client = await openGusher(server);
    const waits = watched(server);
    const taking = take(server, { wait: "60", limit: "10" });
    await waits;
    await ask(client, "q1");
    expect(uids(await taking)).toEqual(["q1"]);
  });

  test("does not happen when there is one", async () => {
    await using server = await bootGusher();
    using client = await openGusher(server);
    await ask(client, "q1");
    expect(uids(await take(server, { wait: "60" }))).toEqual(["q1"]);
  });

  test("ends with its time, and leaves no timer", async () => {
    await using server = await bootGusher();
    const timers = server.runtime.pendingTimers;
    const waits = watched(server);
    const taking = take(server, { wait: "5" });
    await waits;
    await server.advance(5_000);
    expect(await taking).toEqual([]);
    expect(server.runtime.pendingTimers).toBe(timers);
  });

  test("ends when a lease does", async () => {
    await using server = await bootGusher();
    using client = await openGusher(server);
    await ask(client, "q1");
    await take(server, { lease: "3" });
    const waits = watched(server);
    const taking = take(server, { wait: "60" });
    await waits;
    await server.advance(3_100);
    expect(await taking).toMatchObject([{ attempt: 2 }]);
  });

  test("of a worker that left leases nothing", async () => {
    await using server = await bootGusher();
    using client = await openGusher(server);
    const timers = server.runtime.pendingTimers;
    const waits = watched(server);
    const left = new AbortController();
    const taking = fetch(`${server.masterUrl}${PATH}/take?wait=60`, {
      method: "POST",
      signal: left.signal,
    });
    taking.catch(() => {});
    await waits;
    left.abort();
    await until(() => server.runtime.pendingTimers === timers);
    await ask(client, "q1");
    expect(await take(server)).toMatchObject([{ attempt: 1 }]);
  });

  test("ends when the server stops", async () => {
    const server = await bootGusher();
    const waits = watched(server);
    const taking = take(server, { wait: "60" });
    await waits;
    const stopping = server[Symbol.asyncDispose]();
    expect(await taking).toEqual([]);
    await stopping;
  });
});

test("what the engine cannot do is an error without a half answer (O8)", async () => {
  await using server = await bootGusher();
  const app = server.engine.app("TEST");
  const away = () => Promise.reject(new HubError("unavailable", "The engine is away"));
  app.queue.take = away;
  app.queue.done = away;
  app.broker.publish = away;
  app.control.ask = away;
  const lease = JSON.stringify([{ id: "a", lease: "b" }]);
  const batch_data = '[{"channel":"AA","event":"e","data":1}]';
  const pattern = { channel_pattern: "A", event: "e", data: "1" };
  for (const [path, fields, text] of [
    [`${PATH}/take`, {}, "get jobs error"],
    [`${PATH}/done`, { jobs: lease }, "get jobs error"],
    ["/push/TEST/AA/e", { data: "1" }, "data error"],
    ["/push/TEST", pattern, "get channel error"],
    ["/push_batch/TEST", { batch_data }, "data error"],
    ["/push/user/TEST/u1", { data: "1" }, "data error"],
    ["/push/socket/TEST/s1", { data: "1" }, "data error"],
    ["/add/channel/user/TEST/u1", { data: "CC" }, "data error"],
    ["/reload/channel/user/TEST/u1", { data: "[]" }, "data error"],
  ] as const) {
    expect([path, await callMaster(server, path, fields)]).toEqual([path, refused(text)]);
  }
  for (const path of ["/TEST/channels", "/TEST/online/count", "/TEST/online/bychannel/AA"]) {
    const response = await fetch(server.masterUrl + path);
    expect([response.status, await response.text()]).toEqual([400, "get redis error"]);
  }
  const told = server.logged.filter(({ dialect }) => dialect === "gusher");
  expect(told.length).toBeGreaterThan(0);
});

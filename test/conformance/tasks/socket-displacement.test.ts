/** Who makes way for whom: task-tokens.md §5.4, §2.1; checklist §6 item 31. */
import { describe, expect, test } from "bun:test";
import { bootServer } from "../../support/server.ts";
import { issueToken, resultOf } from "../../support/tasks-rpc.ts";
import { connectTask, moveTime, openTaskSocket } from "../../support/tasks-socket.ts";

const REPLACED = { code: 4501, error: "replaced" };
const single = { single_instance: true };
const FLAGS = {
  plain: {},
  single,
  persist: { persist_timeout: true },
  both: { single_instance: true, persist_timeout: true },
};

describe("the earlier connection", () => {
  test.each([
    ["plain", "plain", true, false],
    ["single", "plain", true, true],
    ["plain", "single", true, true],
    ["persist", "plain", true, true],
    ["plain", "persist", true, true],
    ["persist", "plain", false, false],
    ["plain", "persist", false, false],
    ["persist", "persist", false, false],
    ["single", "persist", false, true],
    ["plain", "both", false, true],
  ] as const)("%s, then %s, persist_timeout displacing %p: ended %p", async (...row) => {
    const [first, second, displaces, ended] = row;
    await using server = await bootServer({
      config: { tasks: { persist_timeout_displaces: displaces } },
    });
    const older = await issueToken(server, { task_context: "one", ...FLAGS[first] });
    const newer = await issueToken(server, { task_context: "one", ...FLAGS[second] });
    using o = await connectTask(server, older.clientToken);
    await o.next();
    await moveTime(server, 60_000, [o]);
    using n = await connectTask(server, newer.clientToken);
    expect((await n.next()).Error).toBe("");
    if (!ended) {
      await o.sync();
      expect(o.end).toBeUndefined();
      return;
    }
    // It was told before the newer one had its first frame, so it is there already.
    expect(await o.ended).toEqual(REPLACED);
    expect(o.texts.at(-1)).toBe(
      '{"Error":"replaced","Ticks":"09:00","Message":"","Completed":true}',
    );
    await n.sync();
    expect(n.end).toBeUndefined();
  });

  test("of another task stays", async () => {
    await using server = await bootServer();
    const one = await issueToken(server, single);
    const two = await issueToken(server, single);
    using first = await connectTask(server, one.clientToken);
    await first.next();
    using second = await connectTask(server, two.clientToken);
    await second.next();
    await first.sync();
    expect(first.end).toBeUndefined();
  });

  test("gets no message of the time behind it", async () => {
    await using server = await bootServer();
    const { taskId, clientToken } = await issueToken(server, single);
    using older = await connectTask(server, clientToken);
    await older.next();
    using newer = await connectTask(server, clientToken);
    await newer.next();
    await resultOf(server, "invoke_envoy", { task_id: taskId, message: "AQ==", new_timeout: 1 });
    expect((await newer.next()).Message).toBe("AQ==");
    await older.ended;
    expect(older.messages).toEqual([]);
  });
});

test("of many that come at once one stays", async () => {
  await using server = await bootServer();
  const { clientToken } = await issueToken(server, single);
  const clients = await Promise.all(Array.from({ length: 20 }, () => openTaskSocket(server)));
  for (const client of clients) client.send({ ClientToken: clientToken });
  await Promise.all(clients.map((client) => client.next()));
  await Promise.all(clients.map((client) => client.sync()));
  const open = clients.filter(({ end }) => end === undefined);
  expect(open).toHaveLength(1);
  for (const client of clients) {
    if (client !== open[0]) expect(client.end).toEqual(REPLACED);
    client[Symbol.dispose]();
  }
});

test("a socket of the same task that waits for its first frame is no connection yet", async () => {
  await using server = await bootServer();
  const { clientToken } = await issueToken(server, single);
  using waiting = await openTaskSocket(server);
  using newer = await connectTask(server, clientToken);
  await newer.next();
  await waiting.sync();
  expect(waiting.end).toBeUndefined();
});

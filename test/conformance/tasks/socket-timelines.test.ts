/** The timelines of task-tokens.md §5.7 on a moved clock; checklist §6 items 22 to 25 and 27 to 29. Times are minutes. */
import { describe, expect, test } from "bun:test";
import { bootServer, type BootedServer } from "../../support/server.ts";
import { issueToken, resultOf } from "../../support/tasks-rpc.ts";
import { base64, connectTask, type TaskClient } from "../../support/tasks-socket.ts";

/** A tenth of a minute: no pong is due sooner. */
const STEP_MS = 6000;

type Task = Readonly<Record<string, unknown>>;

interface Life {
  readonly client: TaskClient;
  endedAt: number | undefined;
}

const CLOSES: Readonly<Record<number, string>> = {
  4500: "timeout",
  4501: "replaced",
  4503: "token expired",
};

/** One task, its backend and its clients. */
class Timeline implements AsyncDisposable {
  readonly #server: BootedServer;
  readonly #lives: Life[] = [];
  #taskId = "";
  #tenths = 0;

  private constructor(server: BootedServer) {
    this.#server = server;
  }

  static async start(): Promise<Timeline> {
    return new Timeline(await bootServer());
  }

  async until(minute: number): Promise<void> {
    while (this.#tenths < Math.round(minute * 10)) {
      await this.#server.advance(STEP_MS);
      this.#tenths += 1;
      await this.#look();
    }
  }

  /** Lets everything arrive, and notes who ended. */
  async #look(): Promise<void> {
    const open = this.#lives.filter(({ endedAt }) => endedAt === undefined);
    await Promise.all(open.map(({ client }) => client.sync()));
    for (const life of open) {
      if (life.client.end !== undefined) life.endedAt = this.#tenths / 10;
    }
  }

  async token(reusable_minutes: number, task: Task): Promise<string> {
    const all = { task_context: "one", ...task };
    const { taskId, clientToken } = await issueToken(this.#server, all, { reusable_minutes });
    this.#taskId = taskId;
    return clientToken;
  }

  /** Resolves once it has its first frame. */
  async connect(token: string): Promise<Life> {
    const client = await connectTask(this.#server, token);
    const life: Life = { client, endedAt: undefined };
    this.#lives.push(life);
    await client.next();
    await this.#look();
    return life;
  }

  async invoke(text: string, new_timeout?: number): Promise<void> {
    const params = { task_id: this.#taskId, message: base64(text), new_timeout };
    const answer = await resultOf(this.#server, "invoke_envoy", params);
    expect(answer).toEqual({ status: "success" });
    await this.#look();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const { client } of this.#lives) client[Symbol.dispose]();
    await this.#server[Symbol.asyncDispose]();
  }
}

/** `m1, ends 16 timeout`; what the frames and the close say must agree. */
function told({ client, endedAt }: Life): string {
  const { end, messages, frames } = client;
  if (end === undefined) return [...messages, "waits"].join(", ");
  expect(frames.filter(({ Completed }) => Completed)).toEqual(frames.slice(-1));
  if (end.code === 1000) {
    expect(end.error).toBe("");
    expect(frames.at(-1)?.Message).not.toBe("");
    return [...messages, `ends ${endedAt} completed`].join(", ");
  }
  expect(end.error).toBe(CLOSES[end.code ?? 0]);
  return [...messages, `ends ${endedAt} ${end.error}`].join(", ");
}

describe("all eight flag combinations", () => {
  const waits = "ends 55 timeout";
  const final = "m2, ends 45 completed";
  // Letters: send_offline_message, single_instance, persist_timeout. Then how A, B and C end, and F's life.
  test.each([
    ["---", "24 timeout", "16 timeout", "28 timeout", waits],
    ["--p", "6 replaced", "18 replaced", "24 timeout", waits],
    ["-s-", "6 replaced", "16 timeout", "28 timeout", waits],
    ["-sp", "6 replaced", "18 replaced", "24 timeout", waits],
    ["o--", "24 timeout", "16 timeout", "28 timeout", final],
    ["o-p", "6 replaced", "18 replaced", "24 timeout", final],
    ["os-", "6 replaced", "16 timeout", "28 timeout", final],
    ["osp", "6 replaced", "18 replaced", "24 timeout", final],
  ])("%s", async (flags, endOfA, endOfB, endOfC, lifeOfF) => {
    const task = {
      timeout: 10,
      send_offline_message: flags.includes("o"),
      single_instance: flags.includes("s"),
      persist_timeout: flags.includes("p"),
    };
    const old = flags.includes("o") ? "m1, " : "";
    await using time = await Timeline.start();
    const k1 = await time.token(30, task);
    await time.until(1);
    const a = await time.connect(k1);
    await time.until(4);
    await time.invoke("m1", 20);
    await time.until(6);
    const b = await time.connect(k1);
    await time.until(18);
    const c = await time.connect(k1);
    await time.until(31);
    const d = await time.connect(k1);
    await time.until(40);
    const k2 = await time.token(30, task);
    await time.until(41);
    const e = await time.connect(k2);
    expect(e.client.frames[0]?.Ticks).toBe("10:00");
    await time.until(43);
    await time.invoke("m2", 0);
    await time.until(45);
    const f = await time.connect(k2);
    await time.until(56);
    expect([a, b, c, d, e, f].map(told)).toEqual([
      `m1, ends ${endOfA}`,
      `${old}ends ${endOfB}`,
      `${old}ends ${endOfC}`,
      "ends 31 token expired",
      `${old}m2, ends 43 completed`,
      lifeOfF,
    ]);
  });
});

describe("token life against socket life", () => {
  test("a token that dies leaves open sockets alone and opens no new ones", async () => {
    await using time = await Timeline.start();
    const token = await time.token(5, { timeout: 10 });
    await time.until(1);
    const a = await time.connect(token);
    await time.until(6);
    expect(told(await time.connect(token))).toBe("ends 6 token expired");
    await time.until(12);
    expect(told(a)).toBe("ends 11 timeout");
  });

  test("a token has no leeway: at its last millisecond it opens a socket, then none", async () => {
    await using server = await bootServer();
    const { clientToken } = await issueToken(server, {}, { reusable_minutes: 5 });
    await server.advance(299_999);
    using last = await connectTask(server, clientToken);
    expect((await last.next()).Error).toBe("");
    await server.advance(1);
    using late = await connectTask(server, clientToken);
    expect(await late.ended).toEqual({ code: 4503, error: "token expired" });
  });

  test.each([
    [false, "ends 22 timeout"],
    [true, "ends 12 timeout"],
  ])("with persist_timeout %p a reload after the timeout %s", async (persist, life) => {
    await using time = await Timeline.start();
    const token = await time.token(120, { timeout: 10, persist_timeout: persist });
    await time.until(1);
    const a = await time.connect(token);
    await time.until(12);
    const b = await time.connect(token);
    await time.until(23);
    expect([a, b].map(told)).toEqual(["ends 11 timeout", life]);
  });

  test("a single-use token opens one socket, within five minutes", async () => {
    await using time = await Timeline.start();
    const used = await time.token(0, { timeout: 10 });
    const unused = await time.token(0, { timeout: 10 });
    await time.until(1);
    const a = await time.connect(used);
    await time.until(2);
    expect(told(await time.connect(used))).toBe("ends 2 token expired");
    await time.until(4.9);
    const inTime = await time.connect(await time.token(0, { timeout: 10 }));
    await time.until(5);
    expect(told(await time.connect(unused))).toBe("ends 5 token expired");
    expect([a, inTime].map(told)).toEqual(["waits", "waits"]);
  });
});

test("new_timeout sets the deadline, longer or shorter; without it the message is the last", async () => {
  await using time = await Timeline.start();
  const token = await time.token(60, { timeout: 10 });
  const [a, b, c] = [
    await time.connect(token),
    await time.connect(token),
    await time.connect(token),
  ];
  await time.until(4);
  await time.invoke("m1", 20);
  expect(a.client.frames.at(-1)?.Ticks).toBe("20:00");
  await time.until(6);
  await time.invoke("m2", 5);
  expect(a.client.frames.at(-1)?.Ticks).toBe("05:00");
  await time.until(8);
  await time.invoke("m3");
  expect(a.client.frames.at(-1)).toEqual({
    ...{ Error: "", Ticks: "00:00", Message: base64("m3"), Completed: true },
  });
  expect([a, b, c].map(told)).toEqual(Array(3).fill("m1, m2, m3, ends 8 completed"));
});

describe("nobody connected", () => {
  test.each([
    [true, false, "m1, ends 10.5 timeout"],
    [true, true, "m1, ends 20.1 timeout"],
    [false, false, "ends 10.5 timeout"],
    [false, true, "ends 20.1 timeout"],
  ])("send_offline_message %p, persist_timeout %p: %s", async (offline, persist, life) => {
    await using time = await Timeline.start();
    const task = { timeout: 10, send_offline_message: offline, persist_timeout: persist };
    const token = await time.token(60, task);
    await time.until(0.1);
    await time.invoke("m1", 20);
    await time.until(0.5);
    const browser = await time.connect(token);
    await time.until(21);
    expect(told(browser)).toBe(life);
  });
});

describe("the task clock", () => {
  const persist = { timeout: 10, persist_timeout: true };

  test("is shared by connections of different tokens, and started by the first of them", async () => {
    await using time = await Timeline.start();
    const long = await time.token(60, { ...persist, timeout: 30 });
    const short = await time.token(60, persist);
    await time.until(2);
    const first = await time.connect(short);
    await time.until(3);
    const second = await time.connect(long);
    expect(second.client.frames[0]?.Ticks).toBe("09:00");
    await time.until(13);
    expect([first, second].map(told)).toEqual(["ends 3 replaced", "ends 12 timeout"]);
  });

  test("that has run out is cleared by a new token, and not by time", async () => {
    await using time = await Timeline.start();
    const old = await time.token(60, persist);
    await time.connect(old);
    await time.until(30);
    expect(told(await time.connect(old))).toBe("ends 30 timeout");
    const fresh = await time.token(60, persist);
    const after = await time.connect(fresh);
    expect(after.client.frames[0]?.Ticks).toBe("10:00");
    await time.until(41);
    expect(told(after)).toBe("ends 40 timeout");
  });

  test("that runs is not touched by a new token", async () => {
    await using time = await Timeline.start();
    await time.connect(await time.token(60, persist));
    await time.until(4);
    const second = await time.connect(await time.token(60, persist));
    expect(second.client.frames[0]?.Ticks).toBe("06:00");
  });

  test("that a message set is remembered behind that message while a token lives", async () => {
    await using time = await Timeline.start();
    await time.token(60, persist);
    await time.invoke("m1", 20);
    await time.until(10);
    const token = await time.token(120, persist);
    // Neither the message nor the first token would keep it until here.
    await time.until(125);
    expect(told(await time.connect(token))).toBe("ends 125 timeout");
  });

  test("is cleared by the last message", async () => {
    await using time = await Timeline.start();
    const token = await time.token(60, persist);
    await time.connect(token);
    await time.until(2);
    await time.invoke("m1", 0);
    const next = await time.connect(token);
    expect(next.client.frames[0]?.Ticks).toBe("10:00");
  });
});

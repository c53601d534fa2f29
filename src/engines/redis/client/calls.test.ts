/** Calls in flight: how many, how large, and for how long nothing may be heard. */
import { expect, test } from "bun:test";
import { createTestRuntime } from "../../../../test/support/runtime.ts";
import { HubError } from "../../../core/errors.ts";
import { CALL_BYTES_IN_FLIGHT_MAX, Calls, CALLS_IN_FLIGHT_MAX, SILENCE_MS } from "./calls.ts";

function create() {
  const runtime = createTestRuntime();
  let silences = 0;
  let progress = 0;
  const calls = new Calls(
    runtime,
    () => (silences += 1),
    () => progress,
  );
  return {
    runtime,
    calls,
    silences: () => silences,
    progress: () => (progress += 1),
    /** A call that is answered when the test says so. */
    ask: (bytes = 1) => {
      const answer = Promise.withResolvers<number>();
      return { ...answer, call: calls.track(bytes, () => answer.promise) };
    },
  };
}

async function code(promise: Promise<unknown>): Promise<unknown> {
  const error: unknown = await promise.catch((reason: unknown) => reason);
  return error instanceof HubError ? error.code : error;
}

test("calls up to the bound are sent, one beyond is refused until one is answered", async () => {
  const { calls, ask } = create();
  const first = ask();
  for (let number = 2; number <= CALLS_IN_FLIGHT_MAX; number += 1) {
    void calls.track(1, () => new Promise(() => {}));
  }
  expect(await code(ask().call)).toBe("unavailable");
  first.resolve(1);
  await first.call;
  const next = ask();
  next.resolve(2);
  expect(await next.call).toBe(2);
});

test("what a call grows by when it is sent counts for those behind it, until it is answered", async () => {
  const { calls, ask } = create();
  const answer = Promise.withResolvers<number>();
  const grown = calls.track(1, (call) => {
    calls.grow(call, CALL_BYTES_IN_FLIGHT_MAX - 2);
    return answer.promise;
  });
  const fits = ask(1);
  expect(await code(ask(1).call)).toBe("unavailable");
  answer.resolve(1);
  fits.resolve(2);
  expect(await Promise.all([grown, fits.call])).toEqual([1, 2]);
  const next = ask(CALL_BYTES_IN_FLIGHT_MAX);
  next.resolve(3);
  expect(await next.call).toBe(3);
});

test("bytes up to the bound are sent, one beyond is refused; a larger call goes alone", async () => {
  const { ask } = create();
  const half = ask(CALL_BYTES_IN_FLIGHT_MAX / 2);
  const other = ask(CALL_BYTES_IN_FLIGHT_MAX / 2);
  expect(await code(ask(1).call)).toBe("unavailable");
  half.resolve(1);
  other.resolve(2);
  await Promise.all([half.call, other.call]);
  const large = ask(CALL_BYTES_IN_FLIGHT_MAX + 1);
  large.resolve(3);
  expect(await large.call).toBe(3);
});

test("a connection is given up when nothing is answered for the whole time, and not before", async () => {
  const { runtime, ask, silences } = create();
  ask().call.catch(() => {});
  await runtime.advance(SILENCE_MS - 1);
  expect(silences()).toBe(0);
  await runtime.advance(1);
  expect(silences()).toBe(1);
});

test("the whole time begins anew with each call on an idle connection", async () => {
  const { runtime, ask, silences } = create();
  const first = ask();
  first.resolve(1);
  await first.call;
  await runtime.advance(SILENCE_MS / 4);
  ask().call.catch(() => {});
  await runtime.advance(SILENCE_MS - 1);
  expect(silences()).toBe(0);
  await runtime.advance(1);
  expect(silences()).toBe(1);
});

test("a call that is alone is sent at once, others in their order at the end of the turn, together", async () => {
  const { runtime, calls } = create();
  const sent: string[] = [];
  const send = (name: string) =>
    calls.track(1, () => {
      sent.push(name);
      return Promise.resolve(name);
    });
  const answers = ["a", "b", "c"].map(send);
  expect(sent).toEqual(["a"]);
  answers.push(Promise.resolve().then(() => send("d")));
  expect(await Promise.all(answers)).toEqual(["a", "b", "c", "d"]);
  expect(sent).toEqual(["a", "b", "c", "d"]);
  await runtime.settle();
  await send("alone");
  expect(sent).toHaveLength(5);
});

test("a call that was not sent yet when the connection was lost never is", async () => {
  const { runtime, calls, ask } = create();
  const sent = ask().call.catch(() => {});
  let late = false;
  const waiting = calls.track(1, async () => (late = true));
  calls.fail();
  expect(await code(waiting)).toBe("unavailable");
  await sent;
  await runtime.settle();
  expect(late).toBe(false);
});

test("answers, other messages and what others read count as life", async () => {
  const { runtime, calls, ask, silences, progress } = create();
  const second = ask();
  ask().call.catch(() => {});
  await runtime.advance(SILENCE_MS - 1);
  second.resolve(1);
  await second.call;
  await runtime.advance(SILENCE_MS - 1);
  calls.heard();
  await runtime.advance(SILENCE_MS - 1);
  progress();
  await runtime.advance(SILENCE_MS - 1);
  expect(silences()).toBe(0);
  await runtime.advance(SILENCE_MS);
  expect(silences()).toBe(1);
});

test("a lost connection fails what its client leaves open", async () => {
  const { runtime, calls, ask } = create();
  const answered = ask();
  answered.resolve(1);
  const open = [ask().call, ask().call].map(code);
  await answered.call;
  calls.fail();
  expect(await Promise.all(open)).toEqual(["unavailable", "unavailable"]);
  await calls.idle();
  expect(runtime.pendingTimers).toBe(0);
});

test("nothing is watched while nothing is in flight", async () => {
  const { runtime, ask, silences, calls } = create();
  const { call, reject } = ask();
  let idle = false;
  void calls.idle().then(() => (idle = true));
  await runtime.settle();
  expect(idle).toBe(false);
  reject(new Error("refused"));
  expect(await code(call)).toBeInstanceOf(Error);
  await runtime.settle();
  expect(idle).toBe(true);
  await runtime.advance(10 * SILENCE_MS);
  expect(silences()).toBe(0);
  expect(runtime.pendingTimers).toBe(0);
});

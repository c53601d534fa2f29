/**
 * When a connection is due for a tick, a ping, a missing pong or a look at the newest connection (task-tokens.md §5.4 to §5.6, §5.8),
 * and until when it may wait (§5.2). The task clock is that of the newest message, unless something was noted behind that message: a
 * clock that a connection started, or one that a new token cleared. So a message and its clock are one write, and of messages that
 * race the newest sets both.
 */
import type { Random } from "../../core/runtime.ts";
import type { TaskToken } from "./client-token.ts";
import { NEWEST_CHECK_MS } from "./limits.ts";
import type { ClockNote, TaskMessage, TaskRecords, TaskStream } from "./task-record.ts";

export interface TimetableOptions {
  readonly nowMs: number;
  /** 0: no ticks. */
  readonly tickMs: number;
  readonly pingMs: number;
  readonly pongTimeoutMs: number;
  /** Whether it must look if it is still the newest. */
  readonly standsAlone: boolean;
  readonly random: Random;
}

export type Duty = "tick" | "ping" | "no_pong" | "check_newest";

/**
 * Monotonic milliseconds. Where in its period a connection begins is left to chance, so that many that came at once, after a
 * restart, do not all fall due in one moment for ever after.
 */
export class Timetable {
  readonly #tickMs: number;
  readonly #pingMs: number;
  readonly #pongTimeoutMs: number;
  #tickAtMs: number;
  #pingAtMs: number;
  #pingedMs = 0;
  #pongByMs = Infinity;
  #checkAtMs: number;

  constructor({ nowMs, tickMs, pingMs, pongTimeoutMs, standsAlone, random }: TimetableOptions) {
    const within = (periodMs: number) => nowMs + (periodMs * (1 + random.fraction())) / 2;
    this.#tickMs = tickMs;
    this.#pingMs = pingMs;
    this.#pongTimeoutMs = pongTimeoutMs;
    this.#tickAtMs = tickMs === 0 ? Infinity : within(tickMs);
    this.#pingAtMs = within(pingMs);
    this.#checkAtMs = standsAlone ? within(NEWEST_CHECK_MS) : Infinity;
  }

  get nextMs(): number {
    return Math.min(this.#tickAtMs, this.#pingAtMs, this.#pongByMs, this.#checkAtMs);
  }

  /** What is due, each once; after a standstill one of a kind is enough. `lastReceivedMs`: anything that came counts as a pong. */
  take(nowMs: number, lastReceivedMs: number): readonly Duty[] {
    const duties: Duty[] = [];
    if (nowMs >= this.#pongByMs) {
      this.#pongByMs = Infinity;
      if (lastReceivedMs < this.#pingedMs) return ["no_pong"];
    }
    if (nowMs >= this.#tickAtMs) {
      this.#tickAtMs = next(this.#tickAtMs, this.#tickMs, nowMs);
      duties.push("tick");
    }
    if (nowMs >= this.#pingAtMs) {
      this.#pingAtMs = next(this.#pingAtMs, this.#pingMs, nowMs);
      // An earlier ping that is still unanswered is the one that counts.
      if (this.#pongByMs === Infinity || lastReceivedMs >= this.#pingedMs) {
        this.#pingedMs = nowMs;
        this.#pongByMs = nowMs + this.#pongTimeoutMs;
      }
      duties.push("ping");
    }
    if (nowMs >= this.#checkAtMs) {
      this.#checkAtMs = next(this.#checkAtMs, NEWEST_CHECK_MS, nowMs);
      duties.push("check_newest");
    }
    return duties;
  }
}

function next(atMs: number, periodMs: number, nowMs: number): number {
  return atMs + periodMs > nowMs ? atMs + periodMs : nowMs + periodMs;
}

/** Epoch milliseconds, perhaps past; undefined: the clock is not set. */
export function taskClock(
  { top, last }: TaskStream,
  note: ClockNote | null,
  nowMs = Infinity,
): number | undefined {
  if (note?.afterSeq === top) return note.deadlineMs ?? undefined;
  if (last === undefined || last.newTimeoutMs === 0) return undefined;
  return messageClock(last, nowMs);
}

/** No further off than it lasts: a message of the future was sent before the clock was set back. */
export function messageClock(
  { sentMs, newTimeoutMs }: Pick<TaskMessage, "sentMs" | "newTimeoutMs">,
  nowMs: number,
): number {
  return Math.min(sentMs, nowMs) + newTimeoutMs;
}

/** The note that a new token leaves: a clock that has run out is cleared, a running one outlives the message it came with. */
export function noteOnIssue(
  stream: TaskStream,
  note: ClockNote | null,
  nowMs: number,
): ClockNote | null {
  const clockMs = taskClock(stream, note, nowMs);
  // A note behind a later message is newer than what was read of the stream.
  if (clockMs === undefined || (note !== null && note.afterSeq > stream.top)) return note;
  return { afterSeq: stream.top, deadlineMs: clockMs > nowMs ? clockMs : null };
}

/** Of a connection that was accepted at this moment and joined the stream where it stands; starts the task clock if need be. */
export async function connectionDeadline(
  records: TaskRecords,
  { taskId, timeoutMs, persistTimeout }: TaskToken,
  { acceptedMs, stream }: { readonly acceptedMs: number; readonly stream: TaskStream },
): Promise<number> {
  const own = acceptedMs + timeoutMs;
  if (!persistTimeout) return own;
  let deadlineMs = own;
  await records.update(taskId, (record) => {
    const { clock: note } = record;
    const clockMs = taskClock(stream, note, acceptedMs);
    deadlineMs = clockMs ?? own;
    // A note behind a later message is that message's affair, which this connection is about to be sent.
    const isSet = clockMs !== undefined || (note !== null && note.afterSeq > stream.top);
    return isSet ? undefined : { ...record, clock: { afterSeq: stream.top, deadlineMs: own } };
  });
  return deadlineMs;
}

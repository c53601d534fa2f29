/**
 * Until when a connection may wait (task-tokens.md §5.2). The task clock is that of the newest message, unless something was noted
 * behind that message: a clock that a connection started, or one that a new token cleared. So a message and its clock
 * are one write, and of messages that race the newest sets both.
 */
import type { TaskToken } from "./client-token.ts";
import type { TaskMessage, TaskStream } from "./task-channel.ts";
import type { ClockNote, TaskRecords } from "./task-record.ts";

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

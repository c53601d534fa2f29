/**
 * A task's messages as a channel of the dialect's own space (task-tokens.md §5.3, §5.8): its offset is the sequence number, its
 * history the last message, and joining it loses and doubles nothing.
 */
import type { HistoryLimits } from "../../core/engine.ts";
import type { Encoder, Hub, Subscribed } from "../../core/hub.ts";
import { jsonOf } from "../../core/json-text.ts";
import type { Channel, NewPublication, Publication } from "../../core/types.ts";
import { SEQUENCE_KEPT_MS } from "./limits.ts";

export interface TaskMessage {
  readonly seq: number;
  /** JSON text of a string: as `invoke_envoy` was given it. */
  readonly message: string;
  readonly sentMs: number;
  /** 0: the last message. */
  readonly newTimeoutMs: number;
  /** Until when later connections receive it; 0: they do not. */
  readonly keptUntilMs: number;
}

/** A task's stream at one moment. */
export interface TaskStream {
  /** Sequence number of the newest message; 0: none yet. */
  readonly top: number;
  /** The newest message, while the stream has it: also one that is not kept for connections. */
  readonly last?: TaskMessage;
}

/** What all connections of a task are sent alike; each puts its own frame around it. */
export const taskEncoder: Encoder = {
  name: "tasks",
  encode(push) {
    if (push.type !== "publication") return undefined;
    return "json" in push.publication.data ? push.publication.data.json : undefined;
  },
};

export function channelOf(taskId: string): Channel {
  return { space: "tasks", name: taskId };
}

/** The label of a task's connections, for signals. */
export function labelOf(taskId: string): string {
  return `task:${taskId}`;
}

export function toPublication(
  message: string,
  { newTimeoutMs, keptUntilMs }: Pick<TaskMessage, "newTimeoutMs" | "keptUntilMs">,
): NewPublication {
  return {
    data: { json: jsonOf(message) },
    tags: { new_timeout: `${newTimeoutMs}`, kept_until: `${keptUntilMs}` },
  };
}

/** The newest alone, for so long. */
export function limitsOf(ttlMs: number): HistoryLimits {
  return { size: 1, ttlMs, metaTtlMs: Math.max(ttlMs, SEQUENCE_KEPT_MS) };
}

export function messageOf({ data, tags = {}, timeMs, position }: Publication): TaskMessage {
  return {
    seq: position?.offset ?? 0,
    message: "json" in data ? data.json : '""',
    sentMs: timeMs,
    newTimeoutMs: Number(tags["new_timeout"]),
    keptUntilMs: Number(tags["kept_until"]),
  };
}

export function streamOf({ position, publications }: Subscribed): TaskStream {
  const newest = publications.at(-1);
  const top = position?.offset ?? 0;
  return newest === undefined ? { top } : { top, last: messageOf(newest) };
}

export async function readStream(hub: Hub, taskId: string): Promise<TaskStream> {
  return streamOf(await hub.history(channelOf(taskId), { limit: 1, reverse: true }));
}

/**
 * What the sessions of one app know of each other: on this node who waits for which task, and which addresses fail to authenticate;
 * on all nodes who makes way for a newer connection of its task (task-tokens.md §5.4, §5.8).
 */
import type { Hub } from "../../core/hub.ts";
import { MultiMap } from "../../core/multi-map.ts";
import { MinuteBound } from "../../core/rates.ts";
import type { Reached } from "../../core/types.ts";
import type { SessionServices } from "../dialect.ts";
import type { TaskToken } from "./client-token.ts";
import type { TasksSettings } from "./config.ts";
import { FAILING_ADDRESSES_MAX, TELL_AGAIN_MAX, TELL_AGAIN_MS } from "./limits.ts";
import { labelOf } from "./task-record.ts";

/** A socket that waits for its task, or is about to. */
export interface TaskSocket {
  /** Whether it ends, for a newer one. */
  displace(displacement: Displacement): boolean;
}

export interface TaskSockets {
  /** Accepted or about to be. */
  readonly size: number;
  sizeOf(taskId: string): number;
  add(taskId: string, socket: TaskSocket): void;
  delete(taskId: string, socket: TaskSocket): void;
  /** A copy. */
  of(taskId: string): readonly TaskSocket[];
  /** §5.9: whether the address may try another token. */
  mayAuthenticate(address: string, nowMs: number): boolean;
  /** It sent a token that was none. */
  failed(address: string, nowMs: number): void;
}

export function createTaskSockets(
  settings: Pick<TasksSettings, "failed_authentications_per_minute">,
): TaskSockets {
  const failuresMax = settings.failed_authentications_per_minute;
  const byTask = new MultiMap<TaskSocket>();
  // The address that failed first comes first.
  const failures = new Map<string, MinuteBound>();
  let size = 0;
  return {
    get size() {
      return size;
    },
    sizeOf: (taskId) => byTask.count(taskId),
    add(taskId, socket) {
      byTask.add(taskId, socket);
      size += 1;
    },
    delete(taskId, socket) {
      byTask.delete(taskId, socket);
      size -= 1;
    },
    of: (taskId) => byTask.get(taskId),
    mayAuthenticate: (address, nowMs) => failures.get(address)?.allows(nowMs) ?? true,
    failed(address, nowMs) {
      const bound = failures.get(address) ?? new MinuteBound(failuresMax);
      failures.delete(address);
      failures.set(address, bound);
      bound.take(nowMs);
      if (failures.size <= FAILING_ADDRESSES_MAX) return;
      for (const oldest of failures.keys()) {
        failures.delete(oldest);
        break;
      }
    },
  };
}

export interface Displacement {
  readonly ask: "displace";
  /** Number of the connection that was accepted. */
  readonly below: number;
  /** It wishes to stand alone. */
  readonly force: boolean;
}

export type TaskSignal =
  | Displacement
  /** Those that were accepted count themselves. */
  | { readonly ask: "count" }
  | { readonly ask: "revoke"; readonly issuedUpToMs: number };

/** Whether a connection with this token ends the others, and is ended by a newer one. */
export function standsAlone(
  { singleInstance, persistTimeout }: TaskToken,
  { persist_timeout_displaces: displaces }: TasksSettings,
): boolean {
  return singleInstance || (persistTimeout && displaces);
}

/** Numbers rise from connection to connection: of two that come at once the higher one stays, on every node. */
export function isDisplaced(
  connection: { readonly number: number; readonly alone: boolean },
  { below, force }: Displacement,
): boolean {
  return connection.number < below && (force || connection.alone);
}

type Node = { readonly hub: Hub } & Pick<SessionServices, "runtime" | "onError">;

/**
 * Tells the task's connections on all nodes. Resolves with those that it concerned, of the nodes that answered in time;
 * the others are told again for half a minute, since their connections would stay for good.
 */
export async function tellEverywhere(
  node: Node,
  taskId: string,
  signal: TaskSignal,
): Promise<number> {
  const { matched, nodesAnswered, nodesAsked } = await tell(node, taskId, signal);
  if (nodesAnswered < nodesAsked) {
    tellAgain(node, taskId, signal).catch((error: unknown) =>
      node.onError(error, { connection: "", doing: "telling a task's connections again" }),
    );
  }
  return matched;
}

async function tellAgain(node: Node, taskId: string, signal: TaskSignal): Promise<void> {
  for (let attempt = 1; attempt <= TELL_AGAIN_MAX; attempt++) {
    await new Promise<void>((resolve) => node.runtime.timers.after(TELL_AGAIN_MS, resolve));
    const { nodesAnswered, nodesAsked } = await tell(node, taskId, signal);
    if (nodesAnswered >= nodesAsked) return;
  }
}

function tell({ hub }: Node, taskId: string, signal: TaskSignal): Promise<Reached> {
  return hub.signal({ label: labelOf(taskId) }, "tasks", signal);
}

/** How many of the task's connections wait, over all nodes. */
export async function countConnections(
  { hub }: Pick<Node, "hub">,
  taskId: string,
): Promise<number> {
  const count: TaskSignal = { ask: "count" };
  return (await hub.signal({ label: labelOf(taskId) }, "tasks", count)).matched;
}

/** Who makes way for a newer connection of its task (task-tokens.md §5.4, §5.8), and what is said to a task's connections on all nodes. */
import type { Hub } from "../../core/hub.ts";
import type { Reached } from "../../core/types.ts";
import type { SessionServices } from "../dialect.ts";
import type { TaskToken } from "./client-token.ts";
import { TELL_AGAIN_MAX, TELL_AGAIN_MS } from "./limits.ts";
import type { TasksSettings } from "./config.ts";
import { labelOf } from "./task-channel.ts";

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

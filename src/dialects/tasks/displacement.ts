/** Who makes way for a newer connection of its task (task-tokens.md §5.4, §5.8), and what is said to a task's connections on all nodes. */
import type { TaskToken } from "./client-token.ts";
import type { TasksSettings } from "./context.ts";

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
  { persistTimeoutDisplaces }: TasksSettings,
): boolean {
  return singleInstance || (persistTimeout && persistTimeoutDisplaces);
}

/** Numbers rise from connection to connection: of two that come at once the higher one stays, on every node. */
export function isDisplaced(
  connection: { readonly number: number; readonly alone: boolean },
  { below, force }: Displacement,
): boolean {
  return connection.number < below && (force || connection.alone);
}

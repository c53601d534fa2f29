/**
 * What the JSON-RPC methods ask of an app's tasks (task-tokens.md §3, §5). Ids are genuine and in lower case by then, and values
 * within their ranges. All throw HubError `unavailable` when the engine cannot do it now.
 */
import type { TaskToken } from "./client-token.ts";

export interface TaskStore {
  /**
   * A token was made and is about to be answered (§4.5): its wish to retain messages and its life are remembered for the task
   * (§5.3), and a task clock that has run out is cleared (§5.2). Resolves once that is durable, with the token as it is to be
   * sealed: its `issuedMs` is later than the task's last close, also within one millisecond.
   */
  issue(token: TaskToken): Promise<TaskToken>;
  /** §4.6. Resolves once the message is recorded and handed to the bus. */
  invoke(invocation: Invocation): Promise<Invoked>;
  /** §4.7: ends the connections with 4504, forgets message and clock, and refuses every token issued up to now. */
  close(taskId: string): Promise<void>;
  /** §4.7. Of a task that nothing is known of: no connections, nothing retained. */
  status(taskId: string): Promise<TaskStatus>;
}

export interface Invocation {
  readonly taskId: string;
  /** As it came, and as connections are to receive it. */
  readonly message: string;
  /** 0: the last message; connections end behind it. */
  readonly newTimeoutMs: number;
  /** A repeat for the same task within 5 minutes answers the first result and sends nothing. */
  readonly idempotencyKey?: string;
  /** Whether to count the sockets that it reaches, which asks all nodes. */
  readonly report: boolean;
}

export interface Invoked {
  /** Sockets reached so far. Absent when it was not asked for, and for a repeat of such a call. */
  readonly delivered?: number;
  /** Whether the message is kept for later connections. */
  readonly retained: boolean;
}

export interface TaskStatus {
  readonly connections: number;
  /** The last message was final. */
  readonly completed: boolean;
  readonly retained: boolean;
  readonly lastMessageAtMs?: number;
  /** Milliseconds left on the task clock; 0 when it has run out. Absent without one. */
  readonly expiresInMs?: number;
}

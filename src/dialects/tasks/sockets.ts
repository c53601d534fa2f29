/** What the sessions of one app and node know of each other: who waits for which task, and which addresses fail to authenticate. */
import { MultiMap } from "../../core/multi-map.ts";
import { MinuteBound } from "../../core/rates.ts";
import type { TasksSettings } from "./config.ts";
import type { Displacement } from "./displacement.ts";
import { FAILING_ADDRESSES_MAX } from "./limits.ts";

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

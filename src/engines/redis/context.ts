/** What the parts of one engine share. */
import type { Runtime } from "../../core/runtime.ts";
import type { RedisServers } from "./client/contract.ts";

export interface RedisContext {
  readonly servers: RedisServers;
  /** What all keys and topics begin with; without braces. */
  readonly prefix: string;
  readonly runtime: Runtime;
  /** The time that scripts go by, epoch milliseconds: `""` is the server's own clock, which all nodes share. */
  readonly now: () => number | "";
  /** What a listener or handler threw. */
  readonly onBug: (error: unknown) => void;
  /** Throws HubError `unavailable` once the engine is closed. */
  readonly requireOpen: () => void;
}

/** Milliseconds as the scripts compare them: whole, not negative, and not beyond what a number holds. */
export function wholeMs(ms: number): number {
  return Math.max(0, Math.min(Math.ceil(ms), Number.MAX_SAFE_INTEGER));
}

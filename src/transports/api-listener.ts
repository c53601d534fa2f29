/**
 * The `api` listener: HTTP for servers and operators. One contract, and bounds, that two servers keep: Bun's own, which costs
 * half, and `node:http`, which hands over the body of a GET where Bun's own drops it.
 */
import type { Timers } from "../core/runtime.ts";
import type { AnswerCall } from "./api-call.ts";
import type { FindMount } from "./mounts.ts";

/** Milliseconds for a whole request to arrive: a sender that stalls holds nothing for longer. */
export const REQUEST_TIMEOUT_MS = 30_000;
/** How late that may be noticed. */
export const TIMEOUT_CHECK_MS = 5_000;

/** Bytes of all bodies that are being read or worked on; a further one is refused until some are answered. */
export const BODIES_BYTES_MAX = 67_108_864;

export interface ApiListenerOptions {
  readonly hostname: string;
  /** 0: any free port. */
  readonly port: number;
  /** Other processes of this server listen on the same port. */
  readonly shared: boolean;
  /** PEM text. Absent: plain HTTP. */
  readonly tls?: { readonly cert: string; readonly key: string };
  /** Milliseconds that a connection may idle between two requests. Callers that keep it for longer find it closed. */
  readonly keepAliveTimeoutMs: number;
  /** Bodies of GETs reach `answer`; else they are dropped, and look empty. */
  readonly readsGetBodies: boolean;
  readonly findMount: FindMount;
  readonly answer: AnswerCall;
  readonly timers: Timers;
  /** Told of what `answer` threw; that request alone is answered 500. */
  readonly onBug: (error: unknown, context: string) => void;
}

export interface ApiListener {
  readonly url: string;
  readonly port: number;
  /** From now on each connection ends behind its next answer, and each answer says so. */
  endConnections(): void;
  /** Requests under way are answered, and each connection ends behind its answer; idle ones are closed. */
  close(): Promise<void>;
  /** Drops what is left: requests that do not come to an end. */
  cut(): void;
}

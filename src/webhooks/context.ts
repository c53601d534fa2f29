/** What the parts of one app's webhooks share. */
import type { JobQueue, Records } from "../core/engine.ts";
import { ksuid } from "../core/ksuid.ts";
import type { Runtime } from "../core/runtime.ts";
import type {
  WebhookAttempt,
  WebhookDeadLetter,
  WebhookDisabledReason,
  WebhookNotice,
} from "./contract.ts";
import type { OutboundPolicy } from "../outbound/contract.ts";
import { createMoments, type Moment } from "./keys.ts";
import type { RandomBytes } from "./signature.ts";
import type { TargetRules } from "./target.ts";

export interface WebhookSettings extends TargetRules {
  /** Milliseconds between attempts: one entry fewer than there are attempts. */
  readonly scheduleMs: readonly number[];
  /** Milliseconds for which a message's body and its deliveries are kept. */
  readonly retentionMs: number;
  /** Requests in flight on this node: bounds its sockets. */
  readonly requestsMax: number;
  /** Hears every notice of every organisation. */
  readonly operator?: { readonly url: string; readonly secret: string };
}

/** Keeps secrets unreadable at rest. */
export interface Sealing {
  readonly seal: (text: string) => string | Promise<string>;
  /** Throws for what `seal` did not make. */
  readonly open: (sealed: string) => string | Promise<string>;
}

/** What happens, for metrics and logs. Nothing here names a URL or holds a payload. */
export interface WebhookObserver {
  /** An attempt and what it did to its delivery are durable. */
  attempted?(attempt: WebhookAttempt): void;
  deadLetter?(reason: WebhookDeadLetter["reason"]): void;
  disabled?(endpointId: string, reason: WebhookDisabledReason): void;
}

export interface WebhooksOptions {
  readonly records: Records;
  readonly queue: JobQueue;
  readonly runtime: Runtime;
  readonly settings: WebhookSettings;
  /** Which addresses targets may have. */
  readonly policy: OutboundPolicy;
  readonly sealing: Sealing;
  /** Default: the system's, cryptographically random. */
  readonly randomBytes?: RandomBytes;
  /** PEM certificates to trust in place of the system's. */
  readonly ca?: string;
  /** The ids of all nodes that deliver, and this one's. Absent: it is the only one. */
  readonly cluster?: {
    readonly self: string;
    readonly nodes: () => Promise<readonly string[]>;
  };
  /** For the organisation's stream. */
  readonly onNotice?: (notice: WebhookNotice) => void | Promise<void>;
  readonly observer?: WebhookObserver;
  /** An error of our own making, or an engine that is away. */
  readonly onError: (error: unknown, doing: string) => void;
}

export interface WebhooksContext extends WebhooksOptions {
  readonly moment: () => Moment;
  /** `msg_…`, `ep_…`: prefix without the line. */
  readonly newId: (prefix: string) => string;
}

export function createContext(options: WebhooksOptions): WebhooksContext {
  const { clock, random } = options.runtime;
  return {
    ...options,
    moment: createMoments(clock, random),
    newId: (prefix) => `${prefix}_${ksuid(options.runtime)}`,
  };
}

export const DAY_MS = 86_400_000;
/** Attempts, dead letters and counts; a delivery's own record lives as long as its message. */
export const ATTEMPT_RETENTION_MS = 30 * DAY_MS;
export const RESPONSE_RETENTION_MS = 7 * DAY_MS;

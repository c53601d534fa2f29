/**
 * What the rest of the server asks of outgoing webhooks (webhooks.md). Who stores and delivers them, and how, is `src/webhooks/`'s;
 * their REST API is the events dialect's. One per app; every call names the organisation's application, and what belongs to another
 * one is `not_found`. Times are milliseconds since the Unix epoch.
 */

/** An organisation in one generation: provisioning again makes another application, in which nothing of the old one is found. */
export interface WebhookOwner {
  readonly organisationId: string;
  /** `app_<ksuid>`. */
  readonly applicationId: string;
}

/** One event as it goes to an organisation's endpoints (§4). */
export interface NewWebhookMessage extends WebhookOwner {
  /** `msg_<ksuid>`, the `webhook-id`; made by the caller, so that accepting it again after a failure adds nothing. */
  readonly id: string;
  readonly eventType: string;
  /** `<resource>` and `<resource>.<entity>`, as endpoints filter by; none without a resource. */
  readonly channels: readonly string[];
  /** The envelope, which is stored, signed and sent as exactly this text. */
  readonly body: string;
}

/** What a caller decides about an endpoint (§5.1). The shapes are the caller's to check; URL and secret are checked here. */
export interface WebhookEndpointSettings {
  /** As given, with user and password where it has them. */
  readonly url: string;
  readonly description: string | null;
  /** Null: all. A name that ends with `.*` stands for everything below. */
  readonly eventTypes: readonly string[] | null;
  /** Null: all. */
  readonly channels: readonly string[] | null;
  /** Sent along. Values are for nobody's eyes: the API shows the names. */
  readonly headers: Readonly<Record<string, string>>;
  /** Messages per second. */
  readonly rateLimit: number;
  /** One at a time, each waiting for the one before it. Messages that wait already keep the order they had. */
  readonly ordered: boolean;
  /** Seconds between attempts, so one attempt more than entries; null: the server's schedule. */
  readonly retryScheduleS: readonly number[] | null;
  readonly metadata: Readonly<Record<string, string>>;
}

export interface NewWebhookEndpoint extends Partial<WebhookEndpointSettings> {
  readonly url: string;
  /** Default `hmac`. */
  readonly signature?: WebhookSignature;
  /** `whsec_` and base64 of 24 … 64 bytes; absent: one is made. For `hmac` only. */
  readonly secret?: string;
}

export interface WebhookEndpointChanges extends Partial<WebhookEndpointSettings> {
  /** True pauses by hand: what waits goes on waiting. False enables and forgets earlier failures. No change, no effect. */
  readonly disabled?: boolean;
}

export type WebhookSignature = "hmac" | "ed25519";
export type WebhookDisabledReason = "manual" | "gone" | "receiver" | "failing";

export interface WebhookEndpoint extends WebhookEndpointSettings, WebhookOwner {
  readonly id: string;
  /** User and password are masked. */
  readonly url: string;
  readonly signature: WebhookSignature;
  readonly disabled: boolean;
  readonly disabledReason: WebhookDisabledReason | null;
  readonly disabledAtMs: number | null;
  readonly health: WebhookHealth;
  readonly createdAtMs: number;
  readonly updatedAtMs: number;
}

/** §7.3. `failing`: the clock of failures has run for a day. `unproven`: there were requests, and none ever succeeded. */
export interface WebhookHealth {
  readonly state: "healthy" | "unproven" | "failing";
  readonly failingSinceMs: number | null;
  /** Since the last success. */
  readonly consecutiveFailures: number;
}

export interface WebhookSecret {
  /** `whsec_…`, or the public `whpk_…` of an ed25519 endpoint. */
  readonly secret: string;
  /** Older ones that still sign, newest first. */
  readonly previous: readonly { readonly expiresAtMs: number }[];
}

export interface WebhookStats {
  readonly pending: number;
  readonly succeeded: number;
  readonly failed: number;
  readonly cancelled: number;
  /** Of the attempts that got a response; null without any. */
  readonly p50Ms: number | null;
  readonly p95Ms: number | null;
}

export type WebhookDeliveryStatus = "pending" | "sending" | "succeeded" | "failed" | "cancelled";

export interface WebhookDelivery {
  readonly endpointId: string;
  readonly status: WebhookDeliveryStatus;
  /** Requests made so far. */
  readonly attempts: number;
  /** Null once it has ended. */
  readonly nextAttemptAtMs: number | null;
}

export interface WebhookMessageSummary {
  readonly id: string;
  readonly eventType: string;
  readonly channels: readonly string[];
  readonly acceptedAtMs: number;
  /** Of the body, as it was accepted. */
  readonly bytes: number;
}

export interface WebhookMessage extends WebhookMessageSummary {
  /** Null: erased, or its retention has passed. */
  readonly body: string | null;
  readonly deliveries: readonly WebhookDelivery[];
}

export type WebhookAttemptError =
  | "timeout"
  | "dns"
  | "blocked_address"
  | "connect"
  | "tls"
  | "response_too_large"
  | "redirect";

export interface WebhookAttempt {
  /** `atmpt_<ksuid>`. */
  readonly id: string;
  readonly messageId: string;
  readonly endpointId: string;
  /** Among all attempts of the delivery, from 1. */
  readonly number: number;
  readonly trigger: "scheduled" | "manual";
  readonly status: "succeeded" | "failed";
  /** As it was then; user and password are masked. */
  readonly url: string;
  readonly responseStatus: number | null;
  /** Null also once its retention has passed. */
  readonly responseBody: string | null;
  readonly responseTruncated: boolean;
  readonly error: WebhookAttemptError | null;
  readonly durationMs: number;
  /** When the request began. */
  readonly atMs: number;
  readonly nextAttemptAtMs: number | null;
}

/** A delivery that ended `failed` (§5.4). */
export interface WebhookDeadLetter {
  /** `dl_` and 54 characters. */
  readonly id: string;
  readonly messageId: string;
  readonly endpointId: string;
  readonly eventType: string;
  readonly attempts: number;
  /** `exhausted`: the schedule is used up. `overflow`: an ordered endpoint's queue was full. */
  readonly reason: "exhausted" | "aborted" | "gone" | "blocked_address" | "overflow";
  readonly failedAtMs: number;
}

export interface WebhookTask {
  /** `task_<ksuid>`. */
  readonly id: string;
  readonly type: "recover" | "replay_missing" | "replay_dead_letters";
  readonly status: "running" | "finished" | "cancelled";
  readonly done: number;
  /** Grows while messages are still being looked for. */
  readonly total: number;
}

/** Both ends are inclusive; absent: unbounded. A message's moment is its acceptance. */
export interface WebhookWindow {
  readonly sinceMs?: number;
  readonly untilMs?: number;
}

export interface WebhookPageQuery {
  /** Rows, 1 … `WEBHOOK_LIMITS.pageRows`. */
  readonly limit: number;
  /** From an earlier page of the same list. `invalid_request` when it is none. */
  readonly iterator?: string;
}

/** Newest first. A page of a filtered list may hold fewer rows than asked for, also none, without being the last. */
export interface WebhookPage<Row> {
  readonly data: readonly Row[];
  /** Where the next, older page begins; null: this is the last. */
  readonly iterator: string | null;
  /** Where the page before began; null: this is the first. */
  readonly prevIterator: string | null;
  readonly done: boolean;
}

/** All calls also throw HubError `unavailable`. */
export interface Webhooks {
  /**
   * Matches the message against the endpoints as they are now, and stores it with its deliveries. Once resolved it survives a
   * kill of the process. An id that is known already adds nothing and gets the first answer. Throws `payload_too_large`.
   */
  accept(message: NewWebhookMessage): Promise<{ readonly endpoints: number }>;
  /**
   * Step 3 of event-streaming.md §6.2: deletes the application's endpoints with their secrets, cancels what waits and stops its tasks.
   * Its message log is erased 30 days later. May be repeated; counts what this call did.
   */
  deprovisioned(
    owner: WebhookOwner,
  ): Promise<{ readonly endpointsDeleted: number; readonly deliveriesCancelled: number }>;
  readonly endpoints: WebhookEndpoints;
  readonly messages: WebhookMessages;
  readonly replays: WebhookReplays;
  readonly deadLetters: WebhookDeadLetters;
}

/** Whoever made it also ends it. */
export interface OwnedWebhooks extends Webhooks {
  /** From here on it delivers, beginning with what an earlier run left. */
  start(): Promise<void>;
  /** Takes nothing new; lets requests in flight end, `WEBHOOK_LIMITS.closeMs` at most, and gives the rest back to the queue. */
  close(): Promise<void>;
}

/** Ids that are not the owner's throw `not_found`. */
export interface WebhookEndpoints {
  /** Throws `invalid_url` with `details.reason`, `invalid_request` for an invalid secret, `limit_reached`. */
  create(
    owner: WebhookOwner,
    endpoint: NewWebhookEndpoint,
  ): Promise<{ readonly endpoint: WebhookEndpoint; readonly secret: string }>;
  get(owner: WebhookOwner, id: string): Promise<WebhookEndpoint>;
  list(owner: WebhookOwner, page: WebhookPageQuery): Promise<WebhookPage<WebhookEndpoint>>;
  /** Throws `invalid_url`; `rate_limited` when it enables again too soon after an automatic disable. */
  update(
    owner: WebhookOwner,
    id: string,
    changes: WebhookEndpointChanges,
  ): Promise<WebhookEndpoint>;
  delete(owner: WebhookOwner, id: string): Promise<void>;
  secret(owner: WebhookOwner, id: string): Promise<WebhookSecret>;
  /** Throws `too_many_secrets`, `rate_limited`, `invalid_request` for an invalid secret. */
  rotateSecret(
    owner: WebhookOwner,
    id: string,
    options: {
      readonly secret?: string;
      /** How long the old one goes on signing; 0: not at all. */
      readonly graceMs: number;
    },
  ): Promise<{ readonly secret: string; readonly previousExpiresAtMs: number }>;
  /** Sends one request at once, also to a disabled endpoint, and resolves with what came of it. Throws `rate_limited`. */
  test(owner: WebhookOwner, id: string, eventType: string): Promise<WebhookAttempt>;
  /** Of the attempts within the window, the newest `WEBHOOK_LIMITS.statsAttempts` at most. `pending` is now's. */
  stats(owner: WebhookOwner, id: string, window: WebhookWindow): Promise<WebhookStats>;
}

export interface WebhookMessages {
  get(owner: WebhookOwner, id: string): Promise<WebhookMessage>;
  list(
    owner: WebhookOwner,
    filter: WebhookWindow & { readonly eventType?: string; readonly channel?: string },
    page: WebhookPageQuery,
  ): Promise<WebhookPage<WebhookMessageSummary>>;
  /** To all endpoints, deleted ones included. */
  attempts(
    owner: WebhookOwner,
    messageId: string,
    page: WebhookPageQuery,
  ): Promise<WebhookPage<WebhookAttempt>>;
  attemptsOf(
    owner: WebhookOwner,
    endpointId: string,
    filter: WebhookWindow & {
      readonly status?: WebhookAttempt["status"];
      /** Hundreds of the response's status: 5 for 5xx. */
      readonly statusClass?: number;
    },
    page: WebhookPageQuery,
  ): Promise<WebhookPage<WebhookAttempt>>;
  /** Erases the body at once; open deliveries are cancelled. Again: nothing happens. */
  erase(owner: WebhookOwner, messageId: string): Promise<void>;
}

/** `sinceMs` lies at most 14 days back, else `invalid_request`. A disabled endpoint is `endpoint_disabled`. */
export interface WebhookReplays {
  /** One more request, soon, whatever the filters say. Throws `not_found` also when the content is gone. */
  one(owner: WebhookOwner, messageId: string, endpointId: string): Promise<void>;
  /** Deliveries that ended `failed`, oldest first, with the whole schedule again. Throws `task_running`. */
  recover(
    owner: WebhookOwner,
    endpointId: string,
    window: { readonly sinceMs: number; readonly untilMs?: number },
  ): Promise<WebhookTask>;
  /** Messages that match the endpoint's filters and were not sent: accepted before it was there, or while it was disabled. Throws `task_running`. */
  missing(
    owner: WebhookOwner,
    endpointId: string,
    window: {
      readonly sinceMs: number;
      readonly untilMs?: number;
      readonly eventTypes: readonly string[] | null;
    },
  ): Promise<WebhookTask>;
  task(owner: WebhookOwner, taskId: string): Promise<WebhookTask>;
  /** What it has queued stays queued. A task that has ended stays as it is. */
  cancelTask(owner: WebhookOwner, taskId: string): Promise<void>;
}

/** By id (100 at most; unknown ones are passed over), or all of one endpoint. */
export type WebhookDeadLetterChoice =
  | { readonly ids: readonly string[] }
  | { readonly endpointId: string };

export interface WebhookDeadLetters {
  list(
    owner: WebhookOwner,
    filter: WebhookWindow & { readonly endpointId?: string; readonly eventType?: string },
    page: WebhookPageQuery,
  ): Promise<WebhookPage<WebhookDeadLetter>>;
  replay(owner: WebhookOwner, choice: WebhookDeadLetterChoice): Promise<WebhookTask>;
  /** The deliveries stay `failed`, and are not recovered. */
  discard(owner: WebhookOwner, choice: WebhookDeadLetterChoice): Promise<number>;
}

/** §7.3: what an organisation and the operator are told. A kill of the process at the wrong moment loses one. */
export interface WebhookNotice extends WebhookOwner {
  /** `msg_<ksuid>`, also the id of the message to the endpoints that list the type. */
  readonly id: string;
  readonly type: WebhookNoticeType;
  /** The envelope, as endpoints get it. */
  readonly body: string;
}

export type WebhookNoticeType =
  | "endpoint.created"
  | "endpoint.updated"
  | "endpoint.deleted"
  | "endpoint.secret_rotated"
  | "endpoint.failing"
  | "endpoint.disabled"
  | "message.failing"
  | "message.exhausted"
  | "message.recovered";

/** Bounds that the API states or checks, and others that its answers depend on. */
export const WEBHOOK_LIMITS = {
  bodyBytes: 262_144,
  endpoints: 50,
  urlCharacters: 2048,
  eventTypes: 100,
  channels: 10,
  channelCharacters: 128,
  headers: 20,
  headerNameCharacters: 64,
  headerValueCharacters: 1024,
  rateLimit: 1000,
  rateLimitDefault: 50,
  retryDelays: 15,
  /** Seconds of one delay: a day more than the longest of the server's own. */
  retryDelaySeconds: 172_800,
  graceMs: 604_800_000,
  graceDefaultMs: 86_400_000,
  /** Older secrets that still sign. */
  previousSecrets: 10,
  testsPerMinute: 10,
  rotationsPerHour: 5,
  enableIntervalMs: 300_000,
  replayWindowMs: 14 * 86_400_000,
  replayToleranceMs: 300_000,
  taskMessages: 10_000,
  /** Messages that wait for an ordered endpoint. */
  orderedMessages: 10_000,
  deadLetterIds: 100,
  pageRows: 250,
  pageRowsDefault: 50,
  statsAttempts: 20_000,
  closeMs: 20_000,
} as const;

export type WebhookErrorCode =
  | "invalid_request"
  | "invalid_url"
  | "not_found"
  | "endpoint_disabled"
  | "task_running"
  | "too_many_secrets"
  | "limit_reached"
  | "payload_too_large"
  | "rate_limited";

/** An expected refusal; the message is for the caller's eyes. */
export class WebhookError extends Error {
  readonly code: WebhookErrorCode;
  /** For the caller's eyes too: `reason` of `invalid_url`. */
  readonly details: Readonly<Record<string, unknown>>;
  /** Of `rate_limited`. */
  readonly retryAfterMs: number | undefined;

  constructor(
    code: WebhookErrorCode,
    message: string,
    options: {
      readonly details?: Readonly<Record<string, unknown>>;
      readonly retryAfterMs?: number;
    } = {},
  ) {
    super(message);
    this.name = "WebhookError";
    this.code = code;
    this.details = options.details ?? {};
    this.retryAfterMs = options.retryAfterMs;
  }
}

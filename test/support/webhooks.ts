/** Webhooks on an embedded engine, with time that the test moves and requests that really go out. */
import { createCipheriv, createDecipheriv, randomBytes } from "node:crypto";
import type { AppEngine } from "../../src/core/engine.ts";
import type { Runtime } from "../../src/core/runtime.ts";
import { ksuid } from "../../src/core/ksuid.ts";
import {
  WebhookError,
  type NewWebhookEndpoint,
  type WebhookAttempt,
  type WebhookEndpoint,
  type WebhookNotice,
} from "../../src/webhooks/contract.ts";
import { createEmbeddedEngine } from "../../src/engines/embedded/index.ts";
import { allowingNetworks } from "../../src/outbound/addresses.ts";
import type { OutboundPolicy } from "../../src/outbound/contract.ts";
import {
  createWebhooks,
  type DeliveringWebhooks,
  type Sealing,
  type WebhookSettings,
  type WebhooksOptions,
} from "../../src/webhooks/index.ts";
import { SCHEDULE_MS } from "../../src/webhooks/verdict.ts";
import { createTestRuntime, type TestRuntime } from "./runtime.ts";

export const DAY_MS = 86_400_000;
export const HOUR_MS = 3_600_000;
const ENGINE_SWEEP_MS = 10_000;
const OWNER = {
  organisationId: "org_26ZZVNs2QURl4yY6owPARekUbMa",
  applicationId: "app_2iFmwXASMpS3l4IZsauPs8I1eOv",
};

export interface WebhooksOptionsUnderTest {
  readonly dataDir?: string;
  readonly settings?: Partial<WebhookSettings>;
  readonly policy?: Partial<OutboundPolicy>;
  readonly ca?: string;
  readonly seed?: number;
  /** Another sender on the same engine, with the same keys. */
  readonly beside?: WebhooksUnderTest;
  readonly runtime?: TestRuntime;
  readonly cluster?: WebhooksOptions["cluster"];
  /** Between the webhooks and their engine. */
  readonly wrap?: (engine: AppEngine) => AppEngine;
}

export interface WebhooksUnderTest extends AsyncDisposable {
  readonly webhooks: DeliveringWebhooks;
  readonly runtime: TestRuntime;
  readonly engine: AppEngine;
  readonly sealing: Sealing;
  readonly owner: typeof OWNER;
  /** What was told to the organisation's stream. */
  readonly notices: readonly WebhookNotice[];
  /** All that ended so far. */
  readonly attempts: readonly WebhookAttempt[];
  readonly errors: unknown[];
  /** Resolves once this many attempts have ended, tests not counted. */
  attempted(count: number): Promise<WebhookAttempt>;
  endpoint(endpoint: NewWebhookEndpoint): Promise<WebhookEndpoint & { readonly secret: string }>;
  /** The message's id. */
  accept(message?: {
    readonly eventType?: string;
    readonly channels?: readonly string[];
    readonly body?: string;
    readonly id?: string;
  }): Promise<string>;
  /** To that moment, not before. */
  advanceTo(epochMs: number): Promise<void>;
  dispose(): Promise<void>;
}

/** As secret as in earnest, so that tests can look for plain text. */
export function createSealing(): Sealing {
  const key = randomBytes(32);
  return {
    seal(text) {
      const iv = randomBytes(12);
      const cipher = createCipheriv("aes-256-gcm", key, iv);
      const sealed = Buffer.concat([iv, cipher.update(text, "utf8"), cipher.final()]);
      return Buffer.concat([sealed, cipher.getAuthTag()]).toString("base64");
    },
    open(sealed) {
      const bytes = Buffer.from(sealed, "base64");
      const decipher = createDecipheriv("aes-256-gcm", key, bytes.subarray(0, 12));
      decipher.setAuthTag(bytes.subarray(-16));
      return decipher.update(bytes.subarray(12, -16), undefined, "utf8") + decipher.final("utf8");
    },
  };
}

export async function bootWebhooks(
  options: WebhooksOptionsUnderTest = {},
): Promise<WebhooksUnderTest> {
  const { beside } = options;
  const runtime = options.runtime ?? beside?.runtime ?? createTestRuntime(options.seed);
  const errors: unknown[] = [];
  const embedded =
    beside === undefined
      ? createEmbeddedEngine({
          ...{ dataDir: options.dataDir, durability: "normal", runtime: sweepingRarely(runtime) },
          onBug: (error) => void errors.push(error),
        })
      : undefined;
  await embedded?.start();
  const plain = beside?.engine ?? embedded?.app("app");
  if (plain === undefined) throw new Error("No engine");
  const engine = options.wrap?.(plain) ?? plain;
  const sealing = beside?.sealing ?? createSealing();
  const notices: WebhookNotice[] = [];
  const attempts: WebhookAttempt[] = [];
  const waiting = new Set<{ readonly count: number; readonly resolve: () => void }>();
  const webhooks = createWebhooks({
    ...{ records: engine.records, queue: engine.queue, runtime, sealing },
    settings: {
      ...{ allowHttp: true, allowHosts: ["localhost"], denyPorts: [], ownHosts: [] },
      ...{ scheduleMs: SCHEDULE_MS, retentionMs: 90 * DAY_MS, requestsMax: 2_000 },
      ...options.settings,
    },
    policy: { allowAddress: allowingNetworks(["127.0.0.0/8", "::1"]), ...options.policy },
    ...(options.ca === undefined ? {} : { ca: options.ca }),
    ...(options.cluster === undefined ? {} : { cluster: options.cluster }),
    onNotice: (notice) => void notices.push(notice),
    observer: {
      attempted(attempt) {
        attempts.push(attempt);
        for (const waiter of waiting) {
          if (attempts.length < waiter.count) continue;
          waiting.delete(waiter);
          waiter.resolve();
        }
      },
    },
    onError: (error) => void errors.push(error),
  });
  await webhooks.start();
  let disposed = false;

  const under: WebhooksUnderTest = {
    ...{ webhooks, runtime, engine, sealing, notices, attempts, errors, owner: OWNER },
    async attempted(count) {
      if (attempts.length < count) {
        await new Promise<void>((resolve) => void waiting.add({ count, resolve }));
      }
      const attempt = attempts[count - 1];
      if (attempt === undefined) throw new Error("No such attempt");
      return attempt;
    },
    async endpoint(endpoint) {
      const made = await webhooks.endpoints.create(OWNER, endpoint);
      return { ...made.endpoint, secret: made.secret };
    },
    async accept({ id = `msg_${ksuid(runtime)}`, eventType = "order.paid", ...message } = {}) {
      const body = message.body ?? `{"type":"${eventType}","data":{"of":"${id}"}}`;
      const channels = message.channels ?? [];
      await webhooks.accept({ ...OWNER, id, eventType, channels, body });
      return id;
    },
    advanceTo: (epochMs) => runtime.advance(Math.max(0, epochMs - runtime.clock.epochMs())),
    async dispose() {
      if (disposed) return;
      disposed = true;
      await closing(webhooks.close(), runtime);
      await embedded?.[Symbol.asyncDispose]();
    },
    async [Symbol.asyncDispose]() {
      await under.dispose();
      if (errors.length > 0) throw errors[0];
    },
  };
  return under;
}

/** Days pass here, and the engine's tidying would be nearly all that they are spent on. What has expired is not seen without it either. */
function sweepingRarely(runtime: TestRuntime): Runtime {
  const { clock, random, timers } = runtime;
  const after: Runtime["timers"]["after"] = (delayMs, callback) =>
    timers.after(delayMs === ENGINE_SWEEP_MS ? HOUR_MS : delayMs, callback);
  return { clock, random, timers: { after, soon: (callback) => timers.soon(callback) } };
}

/** A close waits for requests that a test may have left hanging. */
async function closing(closed: Promise<void>, runtime: TestRuntime): Promise<void> {
  let over = false;
  const done = closed.finally(() => {
    over = true;
  });
  while (!over) {
    await runtime.advance(1_000);
    await new Promise<void>((resolve) => setImmediate(resolve));
  }
  await done;
}

/** What a call was refused with; an error that it succeeded. */
export async function refusal(call: Promise<unknown>): Promise<WebhookError> {
  const error: unknown = await call.then(
    () => new Error("The call succeeded"),
    (thrown: unknown) => thrown,
  );
  if (error instanceof WebhookError) return error;
  throw error;
}

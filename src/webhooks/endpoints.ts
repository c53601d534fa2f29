/** Endpoints as their owners manage them (webhooks.md §5.1). */
import { randomBytes as systemRandomBytes } from "node:crypto";
import {
  WEBHOOK_LIMITS,
  WebhookError,
  type NewWebhookEndpoint,
  type WebhookEndpoint,
  type WebhookEndpointChanges,
  type WebhookEndpoints,
  type WebhookOwner,
} from "./contract.ts";
import { Allowances } from "./allowances.ts";
import type { WebhooksContext } from "./context.ts";
import type { Deliver } from "./deliver.ts";
import { endpointStats } from "./endpoint-stats.ts";
import {
  NEVER_CANCELLED,
  shownEndpoint,
  type EndpointSecrets,
  type EndpointStore,
  type StoredEndpoint,
} from "./endpoint-store.ts";
import type { HealthStore } from "./health.ts";
import type { Intake } from "./intake.ts";
import type { Lanes } from "./lanes.ts";
import type { Notices } from "./notices.ts";
import type { Outbox } from "./outbox.ts";
import { arrayPage } from "./paging.ts";
import type { Remove } from "./endpoint-ends.ts";
import { isSecret, makeKey, shownKey } from "./signature.ts";
import { checkTarget } from "./target.ts";

export interface EndpointsParts {
  readonly endpoints: EndpointStore;
  readonly health: HealthStore;
  readonly outbox: Outbox;
  readonly intake: Intake;
  readonly notices: Notices;
  readonly lanes: Lanes;
  readonly deliverer: Deliver;
  readonly remove: Remove;
}

export function createEndpoints(context: WebhooksContext, parts: EndpointsParts): WebhookEndpoints {
  const { runtime, settings, policy, moment, newId } = context;
  const { endpoints, health, outbox, intake, notices, lanes, deliverer } = parts;
  const { clock } = runtime;
  const randomBytes = context.randomBytes ?? systemRandomBytes;
  const tests = new Allowances(clock, {
    ...{ count: WEBHOOK_LIMITS.testsPerMinute, withinMs: 60_000 },
  });
  const rotations = new Allowances(clock, {
    ...{ count: WEBHOOK_LIMITS.rotationsPerHour, withinMs: 3_600_000 },
  });
  const check = (url: string) => checkTarget(url, settings, policy, runtime.timers);

  async function show(endpoint: StoredEndpoint): Promise<WebhookEndpoint> {
    const found = await health.find(endpoint.applicationId, endpoint.id);
    return shownEndpoint(endpoint, await endpoints.open(endpoint), found);
  }

  async function make(owner: WebhookOwner, given: NewWebhookEndpoint, secrets: EndpointSecrets) {
    const { atMs, order } = moment();
    const endpoint: StoredEndpoint = {
      ...{ organisationId: owner.organisationId, applicationId: owner.applicationId },
      ...{ id: newId("ep"), order, signature: given.signature ?? "hmac" },
      ...{ description: given.description ?? null, metadata: given.metadata ?? {} },
      ...{ eventTypes: given.eventTypes ?? null, channels: given.channels ?? null },
      rateLimit: given.rateLimit ?? WEBHOOK_LIMITS.rateLimitDefault,
      ...{ ordered: given.ordered ?? false, retryScheduleS: given.retryScheduleS ?? null },
      ...{ disabledReason: null, disabledAtMs: null, enabledAgainAtMs: null },
      ...{ cancelledOrder: NEVER_CANCELLED, createdAtMs: atMs, updatedAtMs: atMs },
      sealed: await endpoints.seal(secrets),
    };
    await endpoints.add(endpoint);
    lanes.wake(endpoint);
    await notices.tell(endpoint, "endpoint.created");
    return endpoint;
  }

  function keyFrom(secret: string | undefined, signature: WebhookEndpoint["signature"]): string {
    if (secret === undefined) return makeKey(signature, randomBytes);
    if (signature === "hmac" && isSecret(secret)) return secret;
    const message = "The secret must be whsec_ and base64 of 24 to 64 bytes, of an hmac endpoint.";
    throw new WebhookError("invalid_request", message, { details: { member: "secret" } });
  }

  return {
    async create(owner, given) {
      const key = keyFrom(given.secret, given.signature ?? "hmac");
      await check(given.url);
      const known = await endpoints.of(owner.applicationId);
      if (known.length >= WEBHOOK_LIMITS.endpoints) {
        const message = `An organisation may have ${WEBHOOK_LIMITS.endpoints} endpoints at most.`;
        throw new WebhookError("limit_reached", message);
      }
      const secrets = { url: given.url, headers: given.headers ?? {}, keys: [{ key }] };
      const endpoint = await make(owner, given, secrets);
      return { endpoint: await show(endpoint), secret: shownKey(key) };
    },

    async get(owner, id) {
      return show(await endpoints.require(owner, id));
    },

    async list({ applicationId }, query) {
      const found = await endpoints.of(applicationId);
      const page = arrayPage(
        found.map((endpoint) => ({ order: endpoint.order, row: endpoint })),
        query,
      );
      return { ...page, data: await Promise.all(page.data.map(show)) };
    },

    async update(owner, id, changes) {
      const before = await endpoints.require(owner, id);
      if (changes.url !== undefined) await check(changes.url);
      let isChanged = false;
      const after = await endpoints.change(owner.applicationId, id, async (endpoint) => {
        const next = await changed(endpoint, changes);
        isChanged = next !== undefined;
        return next;
      });
      if (after === undefined) return show(await endpoints.require(owner, id));
      if (!isChanged) return show(after);
      if (before.disabledReason !== null && after.disabledReason === null) {
        await health.clear(owner.applicationId, id);
      }
      lanes.wake(after);
      await notices.tell(after, "endpoint.updated");
      return show(after);
    },

    async delete(owner, id) {
      const endpoint = await endpoints.require(owner, id);
      await parts.remove(endpoint);
      await notices.tell(endpoint, "endpoint.deleted");
    },

    async secret(owner, id) {
      const { keys } = await endpoints.open(await endpoints.require(owner, id));
      const [newest] = keys;
      const live = keys.flatMap(({ expiresAtMs = 0 }) =>
        expiresAtMs > clock.epochMs() ? [{ expiresAtMs }] : [],
      );
      return { secret: shownKey(newest?.key ?? ""), previous: live };
    },

    async rotateSecret(owner, id, { secret, graceMs }) {
      const { signature } = await endpoints.require(owner, id);
      const key = keyFrom(secret, signature);
      rotations.take(id);
      const nowMs = clock.epochMs();
      const expiresAtMs = nowMs + graceMs;
      const endpoint = await endpoints.change(owner.applicationId, id, async (found) => {
        const { keys, ...rest } = await endpoints.open(found);
        const older = keys.map((old) => ({ expiresAtMs, ...old }));
        const live = older.filter((old) => old.expiresAtMs > nowMs);
        if (live.length > WEBHOOK_LIMITS.previousSecrets) {
          const message = `${WEBHOOK_LIMITS.previousSecrets} older secrets are still live.`;
          throw new WebhookError("too_many_secrets", message);
        }
        const sealed = await endpoints.seal({ ...rest, keys: [{ key }, ...live] });
        return { ...found, sealed, updatedAtMs: nowMs };
      });
      await notices.tell(
        endpoint ?? (await endpoints.require(owner, id)),
        "endpoint.secret_rotated",
      );
      return { secret: shownKey(key), previousExpiresAtMs: expiresAtMs };
    },

    async test(owner, id, eventType) {
      const endpoint = await endpoints.require(owner, id);
      tests.take(id);
      const body = notices.envelope(eventType, { endpoint_id: id });
      const message = await intake.addFor(endpoint, { id: newId("msg"), eventType }, body);
      return deliverer.test(endpoint, { message, body, version: 0 });
    },

    async stats(owner, id, window) {
      const endpoint = await endpoints.require(owner, id);
      const counted = await endpointStats(context, endpoint, window);
      return { pending: await outbox.pending(endpoint), ...counted };
    },
  };

  /** Undefined: nothing changes. */
  async function changed(
    endpoint: StoredEndpoint,
    changes: WebhookEndpointChanges,
  ): Promise<StoredEndpoint | undefined> {
    const { url, headers, disabled, ...plain } = changes;
    const next = { ...endpoint, ...plain, ...enabling(endpoint, disabled) };
    const secrets = await endpoints.open(endpoint);
    const nextSecrets = {
      ...secrets,
      url: url ?? secrets.url,
      headers: headers ?? secrets.headers,
    };
    const same =
      JSON.stringify(next) === JSON.stringify(endpoint) &&
      JSON.stringify(nextSecrets) === JSON.stringify(secrets);
    if (same) return undefined;
    return { ...next, sealed: await endpoints.seal(nextSecrets), updatedAtMs: clock.epochMs() };
  }

  /** An automatic disable is lifted once in five minutes: enabling in a loop would defeat it (§5.1). */
  function enabling(endpoint: StoredEndpoint, disabled: boolean | undefined) {
    const { disabledReason, enabledAgainAtMs } = endpoint;
    if (disabled === undefined || disabled === (disabledReason !== null)) return {};
    const nowMs = clock.epochMs();
    if (disabled) return { disabledReason: "manual" as const, disabledAtMs: nowMs };
    const enabled = { disabledReason: null, disabledAtMs: null };
    if (disabledReason === "manual") return enabled;
    const sinceMs = nowMs - (enabledAgainAtMs ?? -Infinity);
    const leftMs = WEBHOOK_LIMITS.enableIntervalMs - sinceMs;
    // Not when it lies ahead: the clock was set back.
    if (leftMs > 0 && sinceMs >= 0) {
      const message = "The endpoint was enabled a moment ago and disabled again.";
      throw new WebhookError("rate_limited", message, { retryAfterMs: leftMs });
    }
    return { ...enabled, enabledAgainAtMs: nowMs };
  }
}

/** Endpoints as they are kept: one record each, with everything secret in one sealed text. */
import type { Records, StoredRecord } from "../core/engine.ts";
import { updateRecord } from "../core/update-record.ts";
import type { WebhooksContext } from "./context.ts";
import {
  WebhookError,
  type WebhookDisabledReason,
  type WebhookEndpoint,
  type WebhookEndpointSettings,
  type WebhookOwner,
  type WebhookSignature,
} from "./contract.ts";
import { healthOf, type Health } from "./health.ts";
import { ENDPOINTS, changedKey, endpointKey, endpointsKey } from "./keys.ts";
import { maskedUrl } from "./target.ts";

/** What only senders read. */
export interface EndpointSecrets {
  /** With user and password. */
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  /** As `makeKey` makes them, the newest first; the others sign until they expire. */
  readonly keys: readonly { readonly key: string; readonly expiresAtMs?: number }[];
}

export interface StoredEndpoint
  extends WebhookOwner, Omit<WebhookEndpointSettings, "url" | "headers"> {
  readonly id: string;
  readonly order: string;
  readonly signature: WebhookSignature;
  readonly sealed: string;
  readonly disabledReason: WebhookDisabledReason | null;
  readonly disabledAtMs: number | null;
  /** The moment of the last cancelling: what was queued before and still waits will not be sent. */
  readonly cancelledOrder: string;
  /** When it was last enabled after an automatic disable. */
  readonly enabledAgainAtMs: number | null;
  readonly createdAtMs: number;
  readonly updatedAtMs: number;
}

/** Nothing was cancelled yet: behind every order. */
export const NEVER_CANCELLED = "~";
const LIST_RECORDS = 500;
/** Endpoints kept parsed, about a kilobyte each, and applications whose lists are kept. */
const PARSED_MAX = 20_000;
const LISTS_MAX = 1_000;

export function createEndpointStore({ records, sealing }: WebhooksContext) {
  /** By record: what it said at that version. The busiest endpoints are read many times between two changes. */
  const parsed = new Map<string, { readonly version: number; readonly endpoint: StoredEndpoint }>();

  function parse({ key, value, version }: StoredRecord): StoredEndpoint {
    const known = parsed.get(key);
    if (known?.version === version) return known.endpoint;
    const endpoint = JSON.parse(value) as StoredEndpoint;
    keep(parsed, key, { version, endpoint }, PARSED_MAX);
    return endpoint;
  }

  /** By application: all of them, as of the version of its mark. */
  const lists = new Map<
    string,
    { readonly version: number; readonly endpoints: readonly StoredEndpoint[] }
  >();

  /** The mark is put behind the change, so that who reads the new mark also reads the change. */
  async function marked<Result>(application: string, change: Promise<Result>): Promise<Result> {
    const [result] = await Promise.all([change, records.put(changedKey(application), "")]);
    return result;
  }

  async function find(application: string, id: string): Promise<StoredEndpoint | undefined> {
    const record = await records.get(endpointKey(application, id));
    return record === undefined ? undefined : parse(record);
  }

  return {
    find,

    async require({ applicationId }: WebhookOwner, id: string): Promise<StoredEndpoint> {
      const found = await find(applicationId, id);
      if (found === undefined) throw new WebhookError("not_found", "The endpoint does not exist.");
      return found;
    },

    /** All of an application's, `WEBHOOK_LIMITS.endpoints` and those that raced at the most. */
    async of(application: string): Promise<readonly StoredEndpoint[]> {
      const version = (await records.get(changedKey(application)))?.version ?? 0;
      const known = lists.get(application);
      if (known?.version === version) return known.endpoints;
      const found = await records.list(endpointsKey(application), { limit: LIST_RECORDS });
      const endpoints = found.map(parse);
      keep(lists, application, { version, endpoints }, LISTS_MAX);
      return endpoints;
    },

    /** Every endpoint of the app, a page at a time. */
    async *all(): AsyncGenerator<readonly StoredEndpoint[]> {
      for (let after = ENDPOINTS; ;) {
        const found = await records.list(ENDPOINTS, { after, limit: LIST_RECORDS });
        yield found.map(parse);
        const last = found.at(-1);
        if (last === undefined || found.length < LIST_RECORDS) return;
        after = last.key;
      }
    },

    async add(endpoint: StoredEndpoint): Promise<void> {
      const { applicationId, id } = endpoint;
      const key = endpointKey(applicationId, id);
      await marked(applicationId, records.put(key, JSON.stringify(endpoint)));
    },

    /** Retried while others change it; undefined from `change` leaves it alone. The answer is as it is then; undefined: it is gone. */
    async change(
      application: string,
      id: string,
      change: (
        endpoint: StoredEndpoint,
      ) => StoredEndpoint | undefined | Promise<StoredEndpoint | undefined>,
    ): Promise<StoredEndpoint | undefined> {
      const marking: Pick<Records, "get" | "put"> = {
        get: (key) => records.get(key),
        put: (...put) => marked(application, records.put(...put)),
      };
      return updateRecord(marking, endpointKey(application, id), async (record) => {
        if (record === undefined) return { result: undefined };
        const endpoint = parse(record);
        const changed = await change(endpoint);
        if (changed === undefined) return { result: endpoint };
        return { put: JSON.stringify(changed), result: changed };
      });
    },

    /** False: there was none. */
    remove(application: string, id: string): Promise<boolean> {
      return marked(application, records.delete(endpointKey(application, id)));
    },

    async open({ sealed }: StoredEndpoint): Promise<EndpointSecrets> {
      return JSON.parse(await sealing.open(sealed)) as EndpointSecrets;
    },

    async seal(secrets: EndpointSecrets): Promise<string> {
      return await sealing.seal(JSON.stringify(secrets));
    },
  };
}

/** The one that was put longest ago gives way. */
function keep<Value>(map: Map<string, Value>, key: string, value: Value, max: number): void {
  map.delete(key);
  map.set(key, value);
  const [oldest] = map.keys();
  if (map.size > max && oldest !== undefined) map.delete(oldest);
}

export type EndpointStore = ReturnType<typeof createEndpointStore>;

/** As callers see it. */
export function shownEndpoint(
  endpoint: StoredEndpoint,
  { url, headers }: EndpointSecrets,
  health: Health,
): WebhookEndpoint {
  const { order: _, sealed: __, cancelledOrder: ___, enabledAgainAtMs: ____, ...shown } = endpoint;
  return {
    ...shown,
    ...{ url: maskedUrl(url), headers },
    disabled: endpoint.disabledReason !== null,
    health: healthOf(health),
  };
}

export interface Filter {
  /** Null: all. */
  readonly eventTypes: readonly string[] | null;
  /** Null: all. */
  readonly channels: readonly string[] | null;
}

/** A message without channels never matches an endpoint that has some. */
export function matches(
  { eventTypes, channels }: Filter,
  message: { readonly eventType: string; readonly channels: readonly string[] },
): boolean {
  if (channels !== null && !channels.some((channel) => message.channels.includes(channel))) {
    return false;
  }
  return eventTypes === null || listsType(eventTypes, message.eventType);
}

/** `shipment.*` is everything below `shipment`, and not `shipment` itself. */
export function listsType(eventTypes: readonly string[], eventType: string): boolean {
  return eventTypes.some((name) =>
    name.endsWith(".*") ? eventType.startsWith(name.slice(0, -1)) : name === eventType,
  );
}

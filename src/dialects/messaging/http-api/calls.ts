/** The calls about subscribers and their keys (messaging.md §13.3, §13.4), by path and method. */
import type { Passwords } from "../../../auth/passwords.ts";
import type { MessagingContext } from "../context.ts";
import { SUBSCRIBER_ID } from "../auth/contract.ts";
import { AuthError } from "../auth/errors.ts";
import type { FoundKey } from "../auth/key-store.ts";
import type { SubscriberRecord } from "../auth/records.ts";
import {
  keyChange,
  keysQuery,
  keyView,
  mergedProfile,
  newKey,
  newSubscriber,
  newSubscribers,
  readBody,
  readOneOrMany,
  readQuery,
  subscriberChange,
  subscribersQuery,
  subscriberView,
  tokenView,
} from "./schema.ts";
import { unknownSubscriber, type NewSubscriber } from "../auth/subscriber-store.ts";
import { KEY_ID } from "../auth/token.ts";

export interface Call {
  readonly context: MessagingContext;
  readonly passwords: Passwords;
  readonly tokenTtlMs: number;
  readonly url: URL;
  readonly body: Uint8Array;
  readonly param: (name: string) => string;
}

export interface Reply {
  readonly status: number;
  readonly body?: object;
}

/** Throws AuthError and HubError. What ends tokens resolves once new requests with them are refused and their connections were told. */
type Handle = (call: Call) => Promise<Reply>;

export const CALLS = {
  "/subscribers": {
    GET: async ({ context, url }) => {
      const { items, ...rest } = await context.subscribers.list(readQuery(subscribersQuery, url));
      const subscribers = items.map((found) => subscriberView(context.domain, found));
      return { status: 200, body: { subscribers, ...rest } };
    },
    POST: async (call) => {
      const { context, body } = call;
      const { many, items } = readOneOrMany(newSubscriber, newSubscribers, body);
      if (new Set(items.map(({ msisdn }) => msisdn)).size < items.length) {
        throw new AuthError("invalid_request", "A subscriber is listed twice", { field: "msisdn" });
      }
      const made: NewSubscriber[] = [];
      // One after the other, for a call is not to take all places of the hashing.
      for (const { msisdn: id, active, profile, "sip-password": password } of items) {
        made.push({
          id,
          active,
          profile: mergedProfile("{}", profile),
          ...(password === undefined ? {} : { passwordHash: await call.passwords.hash(password) }),
        });
      }
      const found = await context.subscribers.create(made);
      const views = found.map((one) => subscriberView(context.domain, one));
      return { status: 201, body: many ? views : (views[0] ?? {}) };
    },
  },
  "/subscribers/:msisdn": {
    GET: async (call) => {
      const subscriber = await subscriberOf(call);
      return { status: 200, body: viewOf(call, subscriber) };
    },
    PATCH: changeSubscriber,
    DELETE: async (call) => {
      const { subscribers, keys, ends } = call.context;
      const id = idOf(call);
      // It leaves its channels before it is deleted: a call that is cut short in between can be repeated.
      await subscribers.endTokens(id, () => ({ active: false }));
      await ends.deactivated(id);
      const gone = { active: false, deleted: true, profile: "{}", passwordHash: undefined };
      await subscribers.endTokens(id, () => gone);
      await Promise.all([ends.subscriber(id), keys.sweep(id)]);
      return { status: 204 };
    },
  },
  "/subscribers/:msisdn/keys": {
    GET: async (call) => {
      await subscriberOf(call);
      const query = readQuery(keysQuery, call.url);
      const { items, ...rest } = await call.context.keys.list(idOf(call), query);
      return { status: 200, body: { keys: items.map(keyView), ...rest } };
    },
    POST: async (call) => {
      const { name, "expires-in": seconds } = readBody(newKey, call.body);
      const lifetimeMs =
        seconds === undefined ? call.tokenTtlMs : seconds === null ? Infinity : seconds * 1000;
      const { token, key } = await call.context.keys.mint(idOf(call), { name, lifetimeMs });
      return { status: 201, body: { ...keyView(key), ...tokenView(token, key) } };
    },
    DELETE: async (call) => {
      const { subscribers, keys, ends } = call.context;
      const id = idOf(call);
      await subscribers.endTokens(id);
      await Promise.all([ends.subscriber(id), keys.sweep(id)]);
      return { status: 204 };
    },
  },
  "/subscribers/:msisdn/keys/:key_id": {
    GET: async (call) => ({ status: 200, body: keyView((await keyOf(call)).key) }),
    PATCH: async (call) => {
      const change = readBody(keyChange, call.body);
      const found = await keyOf(call);
      const key = await call.context.keys.update(found, change);
      if (change.active === false) await call.context.ends.token(found.hash);
      return { status: 200, body: keyView(key) };
    },
    DELETE: async (call) => {
      const found = await keyOf(call);
      await call.context.keys.delete(found);
      await call.context.ends.token(found.hash);
      return { status: 204 };
    },
  },
} as const satisfies Readonly<Record<string, Readonly<Record<string, Handle>>>>;

async function changeSubscriber(call: Call): Promise<Reply> {
  const { subscribers, keys, ends } = call.context;
  const { profile, active, "sip-password": password } = readBody(subscriberChange, call.body);
  const id = idOf(call);
  await subscriberOf(call);
  const passwordHash =
    password === undefined
      ? {}
      : { passwordHash: password === null ? undefined : await call.passwords.hash(password) };
  const change = (former: SubscriberRecord) => ({
    ...(profile === undefined ? {} : { profile: mergedProfile(former.profile, profile) }),
    ...(active === undefined ? {} : { active }),
    ...passwordHash,
  });
  if (active !== false)
    return { status: 200, body: viewOf(call, await subscribers.update(id, change)) };
  const subscriber = await subscribers.endTokens(id, change);
  await Promise.all([ends.deactivated(id), keys.sweep(id)]);
  return { status: 200, body: viewOf(call, subscriber) };
}

function viewOf(call: Call, subscriber: SubscriberRecord): object {
  return subscriberView(call.context.domain, { id: idOf(call), subscriber });
}

/** A text that is not a subscriber's id belongs to nobody. */
function idOf({ param }: Call): string {
  const id = param("msisdn");
  if (!SUBSCRIBER_ID.test(id)) throw unknownSubscriber();
  return id;
}

async function subscriberOf(call: Call): Promise<SubscriberRecord> {
  const { subscriber } = (await call.context.subscribers.read(idOf(call))) ?? {};
  if (subscriber === undefined || subscriber.deleted) throw unknownSubscriber();
  return subscriber;
}

async function keyOf(call: Call): Promise<FoundKey> {
  await subscriberOf(call);
  const keyId = call.param("key_id");
  if (!KEY_ID.test(keyId)) throw new AuthError("not_found", "The subscriber has no such key");
  return call.context.keys.find(idOf(call), keyId);
}

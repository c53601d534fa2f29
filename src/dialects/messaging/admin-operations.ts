/** What operators see of subscribers and their tokens, never a token's text: the dialect's part of the admin API. */
import { z } from "zod";
import {
  AdminError,
  adminOperation,
  isoTime,
  ofApp,
  pageAnswer,
  pageQueryOf,
  pageRequest,
  pageViewOf,
  type AdminCall,
  type AdminPart,
} from "../admin-operation.ts";
import { SUBSCRIBER_ID } from "./auth/contract.ts";
import type { KeyRecord } from "./auth/records.ts";
import type { FoundSubscriber, Page } from "./auth/subscriber-store.ts";
import { messageChannel } from "./chat/contract.ts";
import type { MessagingContext } from "./context.ts";

const subscriberAnswer = z
  .strictObject({
    subscriber: z.string(),
    active: z.boolean(),
    has_password: z.boolean(),
    created_at: z.iso.datetime(),
    changed_at: z.iso.datetime(),
  })
  .meta({ title: "admin_subscriber" });

const tokenAnswer = z
  .strictObject({
    key_id: z.string().describe("Names the token in the messaging API, which ends it by that."),
    name: z.string(),
    active: z.boolean(),
    created_at: z.iso.datetime(),
    expires_at: z.iso.datetime().nullable(),
  })
  .meta({ title: "admin_token" });

/** `contexts`: by app id. */
export function messagingAdmin(contexts: ReadonlyMap<string, MessagingContext>): AdminPart {
  const of = (call: Pick<AdminCall, "app">) => ofApp(contexts, call);
  const operations = [
    adminOperation({
      method: "GET",
      path: "messaging/subscribers",
      summary:
        "Subscribers in the order of their ids; `connections` shows who of them is connected",
      request: z.strictObject(pageRequest),
      answer: pageAnswer(subscriberAnswer),
      async run(call) {
        const query = pageQueryOf(call.request);
        return viewOf(await of(call).subscribers.list(query), subscriberView);
      },
    }),
    adminOperation({
      method: "GET",
      path: "messaging/tokens",
      summary: "A subscriber's tokens that have not ended, without their text",
      request: z.strictObject({ subscriber: z.string().describe("Its id."), ...pageRequest }),
      answer: pageAnswer(tokenAnswer),
      async run(call) {
        const { subscriber, ...page } = call.request;
        const query = pageQueryOf(page);
        const { subscribers, keys } = of(call);
        const known = SUBSCRIBER_ID.test(subscriber)
          ? await subscribers.find(subscriber)
          : undefined;
        if (known === undefined) {
          throw new AdminError(
            "not_found",
            '"subscriber" is not known: messaging/subscribers lists them',
          );
        }
        return viewOf(await keys.list(subscriber, query), tokenView);
      },
    }),
  ];
  return { operations, examples: EXAMPLES, hearsIn: [messageChannel("").space] };
}

const EXAMPLES = { subscriber: "12025550101", key_id: "KY4fJ0aPq9TtZkWm2Yx8Lc6R", name: "phone" };

function viewOf<Item, View>({ items, next }: Page<Item>, view: (item: Item) => View) {
  return pageViewOf(next === undefined ? { rows: items } : { rows: items, next }, view);
}

function subscriberView({ id, subscriber }: FoundSubscriber) {
  return {
    ...{ subscriber: id, active: subscriber.active },
    has_password: subscriber.passwordHash !== undefined,
    created_at: isoTime(subscriber.createdMs),
    changed_at: isoTime(subscriber.changedMs),
  };
}

function tokenView({ keyId, name, active, createdMs, expiresMs }: KeyRecord) {
  return {
    ...{ key_id: keyId, name, active, created_at: isoTime(createdMs) },
    expires_at: expiresMs === null ? null : isoTime(expiresMs),
  };
}

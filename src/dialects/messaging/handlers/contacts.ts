/** Availability, contacts and the session itself (messaging.md §7.1, §7.5, §7.6). */
import { SUBSCRIBER_ID } from "../auth/contract.ts";
import { requireAttributes, type JsonObject } from "../client-messages.ts";
import { watchChannel } from "../encoder.ts";
import { Refusal } from "../errors.ts";
import { hidden } from "../events.ts";
import type { PublicState } from "../presence.ts";
import { subscriberModel, timestamp } from "../server-messages.ts";
import type { MessagingClient } from "../client.ts";
import { DONE, respond, type Answer, type Handlers } from "./answer.ts";

/** §7.5: of one connection. */
export const WATCHES_MAX = 500;

export const contactHandlers: Handlers<
  | "announce"
  | "unannounce"
  | "get-availability"
  | "watch-availability"
  | "unwatch-availability"
  | "block-subscriber"
  | "unblock-subscriber"
  | "list-blocked"
  | "ping"
  | "whoami"
> = {
  async announce(session, { fields }) {
    const { context, state } = session;
    const { availability, status, attributes } = state.announcement;
    const announcement = {
      availability: fields.availability ?? availability,
      status: fields.status ?? status,
      attributes: merged(attributes, fields.attributes ?? {}),
    };
    requireAttributes(announcement.attributes, context.settings.attributes_size_limit);
    await context.presence.announce(session.open, announcement);
    state.announcement = announcement;
    state.announced = true;
    return DONE;
  },

  async unannounce({ context, open, state }) {
    await context.presence.announce(open, undefined);
    state.announced = false;
    return DONE;
  },

  async "get-availability"(session, { fields }) {
    const known = await knownOf(session, fields.subscribers);
    return availability(await statesFor(session, known));
  },

  /** Entered first and read then, so that no change falls between. */
  async "watch-availability"(session, { fields }) {
    const { connection, encoder, member, state } = session;
    const known = await knownOf(session, fields.subscribers);
    const more = known.filter((id) => !state.watched.has(id));
    if (state.watched.size + more.length > WATCHES_MAX) {
      session.limitHit("watch_limit");
      throw new Refusal("limit-reached", `A connection watches ${WATCHES_MAX} subscribers at most`);
    }
    const options = { encoder, member, unbroken: true };
    const watching = more.map(async (id) => {
      state.watched.set(id, { blocked: false });
      await connection.subscribe(watchChannel(id), options, () => {});
    });
    try {
      await Promise.all(watching);
      return availability(await statesFor(session, known));
    } catch (error) {
      await Promise.allSettled(watching);
      await Promise.all(more.map((id) => unwatch(session, id)));
      throw error;
    }
  },

  async "unwatch-availability"(session, { fields }) {
    await Promise.all(fields.subscribers.map((id) => unwatch(session, id)));
    return DONE;
  },

  async "block-subscriber"({ context, userId: by }, { fields: { subscriber } }) {
    await context.chat.blocks.block(by, subscriber);
    await context.telling.signal(subscriber, { kind: "blocked", by, blocked: true });
    return DONE;
  },

  async "unblock-subscriber"({ context, userId: by }, { fields: { subscriber } }) {
    await context.chat.blocks.unblock(by, subscriber);
    await context.telling.signal(subscriber, { kind: "blocked", by, blocked: false });
    return DONE;
  },

  async "list-blocked"({ context, userId }) {
    return respond("blocked", { subscribers: await context.chat.blocks.list(userId) });
  },

  ping: ({ context }) => respond("pong", { timestamp: timestamp(context.runtime.clock.epochMs()) }),

  /** Of this connection, also when others do not see it. */
  whoami({ bearer, connectionId, context, state, userId: id }) {
    const { announced, announcement } = state;
    const own = announced ? announcement : { ...announcement, availability: "invisible" as const };
    const { message_size_limit, content_size_limit } = context.settings;
    const { expiresMs } = bearer;
    return respond("identity", {
      subscriber: subscriberModel({ ...own, id }),
      domain: context.domain,
      "connection-id": connectionId,
      "token-expires": expiresMs === Infinity ? undefined : timestamp(expiresMs),
      timestamp: timestamp(context.runtime.clock.epochMs()),
      limits: { "message-bytes": message_size_limit, "content-bytes": content_size_limit },
    });
  },
};

/** G11. */
function merged(attributes: JsonObject, set: JsonObject): JsonObject {
  const all = Object.entries({ ...attributes, ...set });
  return Object.fromEntries(all.filter(([, value]) => value !== null));
}

/** Each once; unknown ones are left out. */
async function knownOf(
  { context }: MessagingClient,
  ids: readonly string[],
): Promise<readonly string[]> {
  const found = await Promise.all(
    [...new Set(ids)].map(async (id) => {
      const known = SUBSCRIBER_ID.test(id) && (await context.subscribers.find(id)) !== undefined;
      return known ? [id] : [];
    }),
  );
  return found.flat();
}

/** As the session's subscriber sees them. */
async function statesFor(
  { context, state, userId }: MessagingClient,
  ids: readonly string[],
): Promise<readonly PublicState[]> {
  const blockers = await context.chat.blocks.blockersOf(userId, ids);
  for (const id of ids) {
    const watched = state.watched.get(id);
    if (watched !== undefined) watched.blocked = blockers.has(id);
  }
  return Promise.all(
    ids.map(async (id) => (blockers.has(id) ? hidden(id) : context.presence.stateOf(id))),
  );
}

function availability(states: readonly PublicState[]): Answer {
  return respond("availability", { subscribers: states.map((each) => subscriberModel(each)) });
}

async function unwatch({ connection, state }: MessagingClient, id: string): Promise<void> {
  if (state.watched.delete(id)) await connection.unsubscribe(watchChannel(id));
}

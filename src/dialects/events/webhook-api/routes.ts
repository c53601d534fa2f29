/** The webhook API's calls by path and method (webhooks.md §5.1 to §5.4, §8, §9). */
import type { Webhooks, WebhookOwner } from "../../../webhooks/contract.ts";
import { isoTime, type ParamsCall } from "../call.ts";
import { eventTypesView, type EventType } from "./event-types.ts";
import {
  attemptsQuery,
  deadLetterChoice,
  deadLettersQuery,
  endpointBody,
  endpointChanges,
  messagesQuery,
  missing,
  nothing,
  pageQuery,
  readBody,
  readQuery,
  recovery,
  rotation,
  settingsOf,
  statsQuery,
  testEvent,
} from "./schema.ts";
import {
  attemptView,
  deadLetterView,
  endpointView,
  messageSummaryView,
  messageText,
  pageView,
  secretView,
  statsView,
  taskView,
} from "./views.ts";

export interface WebhookCall extends ParamsCall {
  readonly webhooks: Webhooks;
  readonly owner: WebhookOwner;
  readonly sourceAddresses: readonly string[];
  readonly eventTypes: readonly EventType[];
  readonly param: (name: string) => string;
}

export interface Reply {
  readonly status: number;
  /** `""`: none. */
  readonly body: string;
}

export interface Handler {
  /** Its answer holds a secret, so reading is not enough. */
  readonly secret?: boolean;
  /** Throws WebhookError, EventsError, HubError. */
  handle(call: WebhookCall): Promise<Reply>;
}

/** §7.6: told to whoever asks for order. */
const ORDERED_NOTE = "ordered endpoints stop behind a failing message";

export const WEBHOOK_ROUTES = {
  "/endpoints": {
    GET: read(async ({ webhooks, owner, request }) =>
      pageView(
        await webhooks.endpoints.list(owner, pageOf(readQuery(pageQuery, request))),
        endpointView,
      ),
    ),
    POST: write(201, async (call) => {
      const { secret, signature, ...settings } = readBody(endpointBody, call);
      const made = await call.webhooks.endpoints.create(call.owner, {
        ...{ ...settingsOf(settings), url: settings.url },
        ...(signature === undefined ? {} : { signature }),
        ...(secret == null ? {} : { secret }),
      });
      return { ...endpointView(made.endpoint), secret: made.secret, ...notes(settings) };
    }),
  },
  "/endpoints/:id": {
    GET: read(async ({ webhooks, owner, param }) =>
      endpointView(await webhooks.endpoints.get(owner, param("id"))),
    ),
    PATCH: write(200, async (call) => {
      const { disabled, ...settings } = readBody(endpointChanges, call);
      const changed = await call.webhooks.endpoints.update(call.owner, call.param("id"), {
        ...settingsOf(settings),
        ...(disabled === undefined ? {} : { disabled }),
      });
      return { ...endpointView(changed), ...notes(settings) };
    }),
    DELETE: gone(({ webhooks, owner, param }) => webhooks.endpoints.delete(owner, param("id"))),
  },
  "/endpoints/:id/secret": {
    GET: {
      ...read(async ({ webhooks, owner, param }) =>
        secretView(await webhooks.endpoints.secret(owner, param("id"))),
      ),
      secret: true,
    },
  },
  "/endpoints/:id/secret/rotate": {
    POST: write(200, async (call) => {
      const { secret, grace_period_s } = readBody(rotation, call);
      const rotated = await call.webhooks.endpoints.rotateSecret(call.owner, call.param("id"), {
        graceMs: grace_period_s * 1000,
        ...(secret == null ? {} : { secret }),
      });
      const { previousExpiresAtMs } = rotated;
      return { secret: rotated.secret, previous_expires_at: isoTime(previousExpiresAtMs) };
    }),
  },
  "/endpoints/:id/test": {
    POST: write(200, async (call) => {
      const { event_type } = readBody(testEvent, call);
      return attemptView(
        await call.webhooks.endpoints.test(call.owner, call.param("id"), event_type),
      );
    }),
  },
  "/endpoints/:id/stats": {
    GET: read(async ({ webhooks, owner, param, request }) => {
      const span = windowOf(readQuery(statsQuery, request));
      return statsView(await webhooks.endpoints.stats(owner, param("id"), span));
    }),
  },
  "/endpoints/:id/attempts": {
    GET: read(async ({ webhooks, owner, param, request }) => {
      const { status, status_class, ...query } = readQuery(attemptsQuery, request);
      const filter = {
        ...windowOf(query),
        ...(status === undefined ? {} : { status }),
        ...(status_class === undefined ? {} : { statusClass: status_class }),
      };
      const { messages } = webhooks;
      return pageView(
        await messages.attemptsOf(owner, param("id"), filter, pageOf(query)),
        attemptView,
      );
    }),
  },
  "/endpoints/:id/recover": {
    POST: write(202, async (call) => {
      const window = replayWindow(readBody(recovery, call));
      return taskView(await call.webhooks.replays.recover(call.owner, call.param("id"), window));
    }),
  },
  "/endpoints/:id/replay-missing": {
    POST: write(202, async (call) => {
      const { event_types, ...body } = readBody(missing, call);
      const asked = { ...replayWindow(body), eventTypes: event_types ?? null };
      return taskView(await call.webhooks.replays.missing(call.owner, call.param("id"), asked));
    }),
  },
  "/event-types": {
    GET: read(({ eventTypes }) => Promise.resolve(eventTypesView(eventTypes))),
  },
  "/source-addresses": {
    GET: read(({ sourceAddresses }) => Promise.resolve({ data: sourceAddresses })),
  },
  "/messages": {
    GET: read(async ({ webhooks, owner, request }) => {
      const { event_type, channel, ...query } = readQuery(messagesQuery, request);
      const filter = {
        ...windowOf(query),
        ...(event_type === undefined ? {} : { eventType: event_type }),
        ...(channel === undefined ? {} : { channel }),
      };
      return pageView(
        await webhooks.messages.list(owner, filter, pageOf(query)),
        messageSummaryView,
      );
    }),
  },
  "/messages/:id": {
    GET: {
      handle: async ({ webhooks, owner, param }) => ({
        status: 200,
        body: messageText(await webhooks.messages.get(owner, param("id"))),
      }),
    },
  },
  "/messages/:id/content": {
    DELETE: gone(({ webhooks, owner, param }) => webhooks.messages.erase(owner, param("id"))),
  },
  "/messages/:id/attempts": {
    GET: read(async ({ webhooks, owner, param, request }) => {
      const query = readQuery(pageQuery, request);
      return pageView(
        await webhooks.messages.attempts(owner, param("id"), pageOf(query)),
        attemptView,
      );
    }),
  },
  "/messages/:id/endpoints/:endpoint_id/replay": {
    POST: write(202, async (call) => {
      readBody(nothing, call);
      const { webhooks, owner, param } = call;
      await webhooks.replays.one(owner, param("id"), param("endpoint_id"));
      return { attempt_pending: true };
    }),
  },
  "/tasks/:id": {
    GET: read(async ({ webhooks, owner, param }) =>
      taskView(await webhooks.replays.task(owner, param("id"))),
    ),
    DELETE: gone(({ webhooks, owner, param }) => webhooks.replays.cancelTask(owner, param("id"))),
  },
  "/dead-letters": {
    GET: read(async ({ webhooks, owner, request }) => {
      const { endpoint_id, event_type, ...query } = readQuery(deadLettersQuery, request);
      const filter = {
        ...windowOf(query),
        ...(endpoint_id === undefined ? {} : { endpointId: endpoint_id }),
        ...(event_type === undefined ? {} : { eventType: event_type }),
      };
      return pageView(
        await webhooks.deadLetters.list(owner, filter, pageOf(query)),
        deadLetterView,
      );
    }),
  },
  "/dead-letters/replay": {
    POST: write(202, async (call) =>
      taskView(await call.webhooks.deadLetters.replay(call.owner, choiceOf(call))),
    ),
  },
  "/dead-letters/discard": {
    POST: write(200, async (call) => ({
      discarded: await call.webhooks.deadLetters.discard(call.owner, choiceOf(call)),
    })),
  },
} as const satisfies Readonly<Record<string, Readonly<Record<string, Handler>>>>;

function read(handle: (call: WebhookCall) => Promise<object>): Handler {
  return write(200, handle);
}

function write(status: number, handle: (call: WebhookCall) => Promise<object>): Handler {
  return { handle: async (call) => ({ status, body: JSON.stringify(await handle(call)) }) };
}

function gone(handle: (call: WebhookCall) => Promise<void>): Handler {
  return {
    async handle(call) {
      await handle(call);
      return { status: 204, body: "" };
    },
  };
}

function notes({ ordered }: { readonly ordered?: boolean | undefined }) {
  return ordered === true ? { notes: [ORDERED_NOTE] } : {};
}

interface WindowQuery {
  readonly since?: number | undefined;
  readonly until?: number | null | undefined;
}

function windowOf({ since, until }: WindowQuery) {
  return {
    ...(since === undefined ? {} : { sinceMs: since }),
    ...(until == null ? {} : { untilMs: until }),
  };
}

function replayWindow({ since, until }: WindowQuery & { readonly since: number }) {
  return { sinceMs: since, ...(until == null ? {} : { untilMs: until }) };
}

function pageOf({
  limit,
  iterator,
}: {
  readonly limit: number;
  readonly iterator?: string | undefined;
}) {
  return { limit, ...(iterator === undefined ? {} : { iterator }) };
}

function choiceOf(call: WebhookCall) {
  const choice = readBody(deadLetterChoice, call);
  return "ids" in choice ? choice : { endpointId: choice.endpoint_id };
}

/** Publishing (event-streaming.md §10): one call feeds streams and webhooks, and a repeated one nothing. */
import { jsonView, type CompactJson, type JsonView } from "../../core/json-text.ts";
import { ksuid } from "../../core/ksuid.ts";
import { CHANNELS } from "../../core/types.ts";
import { organisationOf, requireScope, type Caller } from "./access-token.ts";
import { invalidRequest, jsonBody, parsedBody, type Answer, type EventsCall } from "./call.ts";
import { EventsError, eventsErrorOf, loggedRefusal } from "./errors.ts";
import type { Organisation } from "./organisations.ts";
import {
  channelsOf,
  digestOf,
  envelopeOf,
  parseEvent,
  timestampOf,
  webhookChannelsOf,
  type EventDraft,
} from "./publish-event.ts";
import { createPublishLog, type PublishIdentity } from "./publish-log.ts";

export const BATCH_EVENTS_MAX = 100;
export const IDEMPOTENCY_KEY_CHARACTERS_MAX = 256;

const PUBLISH = ["events:publish"];
const SECOND_MS = 1_000;

/** §10.1. */
export async function publish(call: EventsCall): Promise<Answer> {
  const { caller } = call;
  const key = authorize(call);
  const view = jsonOf(call);
  limit(caller, 1);
  const [answer] = await publishAll(caller, [{ view, key }]);
  if (answer === undefined) throw new Error("An event was left without an answer");
  if (answer instanceof EventsError) throw answer;
  return answer;
}

/** Each judged alone, in order; a refused one is answered with its error in its place. */
export async function publishBatch(call: EventsCall): Promise<readonly Answer[]> {
  const { caller } = call;
  const key = authorize(call);
  const list = jsonOf(call);
  if (list.kind !== "array") throw invalidRequest("The batch must be a JSON array.");
  const events = list.items(BATCH_EVENTS_MAX);
  if (events.length > BATCH_EVENTS_MAX) {
    throw invalidRequest(`A batch may have ${BATCH_EVENTS_MAX} events at most.`);
  }
  limit(caller, events.length);
  const items = events.map((view, index) => ({ view, key: key && `${key}#${index}` }));
  return (await publishAll(caller, items)).map((answer, item) => {
    if (!(answer instanceof EventsError)) return answer;
    const about = { method: "publish_batch", item, ...loggedRefusal(answer) };
    caller.context.onEvent("API call refused", about);
    return { error: answer.bodyWith() };
  });
}

/** The call's idempotency key. */
function authorize({ caller, request }: EventsCall): string | undefined {
  requireScope(caller, PUBLISH);
  const key = request.headers.get("idempotency-key") ?? undefined;
  if (key === undefined) return undefined;
  if (key !== "" && key.length <= IDEMPOTENCY_KEY_CHARACTERS_MAX) return key;
  throw invalidRequest("The Idempotency-Key is empty or too long.");
}

function jsonOf(call: EventsCall): JsonView {
  return parsedBody(jsonBody(call), jsonView);
}

function limit({ id, context }: Caller, events: number): void {
  const { publishes_per_second: count } = context.settings;
  const rate = { count, perMs: SECOND_MS, limit: "publishes_per_second" } as const;
  context.rateLimits.take(`publish/${id}`, rate, events);
}

interface Item {
  readonly view: JsonView;
  readonly key: string | undefined;
}

/** An event that webhooks have taken, and that streams are to get. */
interface Stored {
  readonly identity: PublishIdentity;
  readonly envelope: CompactJson;
  readonly channels: readonly string[];
  readonly answer: Answer;
  readonly finish: (answer: Answer) => Promise<void>;
}

async function publishAll(
  caller: Caller,
  items: readonly Item[],
): Promise<readonly (Answer | EventsError)[]> {
  const stored = await Promise.all(items.map((item) => expected(caller, store(caller, item))));
  // Handed to the hub one by one before any is waited for: on each channel they come in their order.
  return Promise.all(
    stored.map(async (step) => {
      if (step instanceof EventsError) return step;
      return "done" in step ? step.done : expected(caller, send(caller, step));
    }),
  );
}

/** Up to what must survive: the identity of the event, and its webhook message. */
async function store(
  caller: Caller,
  { view, key }: Item,
): Promise<Stored | { readonly done: Answer }> {
  const { context } = caller;
  const { runtime, organisations, records } = context;
  const event = parseEvent(view, context.catalogue);
  const organisationId = organisationOf(caller, event.organisation_id);
  const organisation = await organisations.find(organisationId);
  if (organisation?.status !== "active") {
    const id = event.id ?? newId(caller, "evt");
    return { done: { id, accepted: false, reason: "organisation_not_provisioned" } };
  }
  const log = createPublishLog(records, organisationId, digestOf(event, organisationId));
  const identity = {
    id: event.id ?? newId(caller, "evt"),
    messageId: newId(caller, "msg"),
    timestamp: timestampOf(event, runtime.clock.epochMs()),
  };
  // Checked before anything is stored.
  const asNew = envelopeOf(event, identity);
  const begun = await log.begin(identity, {
    repeatable: event.id !== undefined || key !== undefined,
    key: event.id === undefined && key !== undefined ? `${caller.id}/${key}` : undefined,
  });
  if ("answer" in begun) return { done: begun.answer };
  const channels = channelsOf(event, organisationId);
  const envelope = begun.identity === identity ? asNew : envelopeOf(event, begun.identity);
  const [webhooks] = await Promise.all([
    acceptWebhooks(caller, { event, organisation, envelope, messageId: begun.identity.messageId }),
    noteChannels(caller, organisation, event, channels),
  ]);
  const { id } = begun.identity;
  const answer = {
    ...{ id, accepted: true },
    ...(event.streaming ? { streaming: { channels } } : {}),
    ...(webhooks === undefined ? {} : { webhooks }),
  };
  return { identity: begun.identity, envelope, channels, answer, finish: begun.finish };
}

function newId({ context }: Caller, prefix: string): string {
  return `${prefix}_${ksuid(context.runtime)}`;
}

async function acceptWebhooks(
  { context }: Caller,
  {
    event,
    organisation,
    envelope,
    messageId,
  }: {
    readonly event: EventDraft;
    readonly organisation: Organisation;
    readonly envelope: CompactJson;
    readonly messageId: string;
  },
): Promise<Answer | undefined> {
  if (!event.webhooks) return undefined;
  const { endpoints } = await context.webhooks.accept({
    id: messageId,
    organisationId: organisation.id,
    applicationId: organisation.applicationId,
    eventType: event.type,
    channels: webhookChannelsOf(event),
    body: envelope,
  });
  return { message_id: messageId, endpoints };
}

async function noteChannels(
  { context }: Caller,
  organisation: Organisation,
  { entry }: EventDraft,
  channels: readonly string[],
): Promise<void> {
  const historyTtlMs = entry?.historyTtlMs ?? 0;
  if (historyTtlMs === 0) return;
  await Promise.all(
    channels.map((name) => context.organisationChannels.note(organisation, name, historyTtlMs)),
  );
}

async function send({ context }: Caller, event: Stored): Promise<Answer> {
  const { identity, envelope, channels, answer } = event;
  const publication = { data: { json: envelope } };
  await Promise.all(
    channels.map((name) =>
      context.hub.publish({ space: CHANNELS, name }, publication, { idempotencyKey: identity.id }),
    ),
  );
  context.metrics.count("publications", { dialect: "events", by: "server" });
  await event.finish(answer);
  return answer;
}

/** One item's refusal must not be the others'. */
async function expected<Result>(
  { context }: Caller,
  work: Promise<Result>,
): Promise<Result | EventsError> {
  try {
    return await work;
  } catch (error) {
    const refusal = eventsErrorOf(error);
    if (refusal === undefined) throw error;
    if (refusal.code === "unavailable") context.onError(error, { doing: "publishing" });
    return refusal;
  }
}

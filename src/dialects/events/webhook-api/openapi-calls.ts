/** What the OpenAPI document says of each call of the webhook API, in the schemas that check it (webhooks.md §5). */
import type { z } from "zod";
import type { EventsErrorCode } from "../errors.ts";
import {
  attemptAnswer,
  changedEndpoint,
  deadLetterAnswer,
  discardedAnswer,
  endpointAnswer,
  eventTypesAnswer,
  messageAnswer,
  messageSummary,
  newEndpoint,
  pageOf,
  replayAnswer,
  rotatedSecret,
  secretAnswer,
  sourceAddressesAnswer,
  statsAnswer,
  taskAnswer,
} from "./answers.ts";
import type { WEBHOOK_ROUTES } from "./routes.ts";
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
  recovery,
  rotation,
  statsQuery,
  testEvent,
} from "./schema.ts";

export interface WebhookOperation {
  readonly id: string;
  readonly summary: string;
  readonly query?: z.ZodObject;
  readonly body?: z.ZodType;
  /** Default 200. */
  readonly status?: number;
  /** Absent: there is none, and the status is 204. */
  readonly answer?: z.ZodType;
  /** Besides those that every call may meet. */
  readonly errors?: readonly EventsErrorCode[];
}

type Routes = typeof WEBHOOK_ROUTES;
/** Total: a new route does not compile until it is described. */
type Operations = {
  readonly [Path in keyof Routes]: { readonly [M in keyof Routes[Path]]: WebhookOperation };
};

const REPLAYING = ["endpoint_disabled", "task_running"] as const;

export const WEBHOOK_OPERATIONS: Operations = {
  "/endpoints": {
    GET: {
      ...{ id: "list_endpoints", summary: "The endpoints", query: pageQuery },
      answer: pageOf(endpointAnswer),
    },
    POST: {
      ...{ id: "create_endpoint", summary: "Make an endpoint; the answer has its secret" },
      ...{ body: endpointBody, status: 201, answer: newEndpoint },
      errors: ["invalid_url", "limit_reached"],
    },
  },
  "/endpoints/:id": {
    GET: { id: "get_endpoint", summary: "One endpoint", answer: endpointAnswer },
    PATCH: {
      ...{ id: "change_endpoint", summary: "Change, pause or enable an endpoint" },
      ...{ body: endpointChanges, answer: changedEndpoint, errors: ["invalid_url"] },
    },
    DELETE: { id: "delete_endpoint", summary: "Delete an endpoint, and cancel what waits for it" },
  },
  "/endpoints/:id/secret": {
    GET: { id: "get_secret", summary: "An endpoint's signing secret", answer: secretAnswer },
  },
  "/endpoints/:id/secret/rotate": {
    POST: {
      ...{ id: "rotate_secret", summary: "Replace the secret; the old one signs on for a while" },
      ...{ body: rotation, answer: rotatedSecret, errors: ["too_many_secrets"] },
    },
  },
  "/endpoints/:id/test": {
    POST: {
      ...{ id: "test_endpoint", summary: "Send a test event at once, also to a disabled endpoint" },
      ...{ body: testEvent, answer: attemptAnswer },
    },
  },
  "/endpoints/:id/stats": {
    GET: {
      ...{ id: "get_stats", summary: "An endpoint's deliveries and how long it takes to answer" },
      ...{ query: statsQuery, answer: statsAnswer },
    },
  },
  "/endpoints/:id/attempts": {
    GET: {
      ...{ id: "list_endpoint_attempts", summary: "Requests to one endpoint" },
      ...{ query: attemptsQuery, answer: pageOf(attemptAnswer) },
    },
  },
  "/endpoints/:id/recover": {
    POST: {
      ...{ id: "recover", summary: "Send again what failed" },
      ...{ body: recovery, status: 202, answer: taskAnswer, errors: REPLAYING },
    },
  },
  "/endpoints/:id/replay-missing": {
    POST: {
      ...{ id: "replay_missing", summary: "Send what the endpoint matches and was never sent" },
      ...{ body: missing, status: 202, answer: taskAnswer, errors: REPLAYING },
    },
  },
  "/event-types": {
    GET: {
      ...{ id: "list_event_types", summary: "Event types that the server knows" },
      answer: eventTypesAnswer,
    },
  },
  "/source-addresses": {
    GET: {
      ...{ id: "list_source_addresses", summary: "Addresses that deliveries come from" },
      answer: sourceAddressesAnswer,
    },
  },
  "/messages": {
    GET: {
      ...{ id: "list_messages", summary: "Events as they were accepted", query: messagesQuery },
      answer: pageOf(messageSummary),
    },
  },
  "/messages/:id": {
    GET: { id: "get_message", summary: "One event and its deliveries", answer: messageAnswer },
  },
  "/messages/:id/content": {
    DELETE: { id: "erase_message", summary: "Erase an event's body, and cancel what waits" },
  },
  "/messages/:id/attempts": {
    GET: {
      ...{ id: "list_message_attempts", summary: "Requests for one event", query: pageQuery },
      answer: pageOf(attemptAnswer),
    },
  },
  "/messages/:id/endpoints/:endpoint_id/replay": {
    POST: {
      ...{ id: "replay_message", summary: "Send one event to one endpoint once more" },
      ...{ body: nothing, status: 202, answer: replayAnswer, errors: ["endpoint_disabled"] },
    },
  },
  "/tasks/:id": {
    GET: { id: "get_task", summary: "How far a replay is", answer: taskAnswer },
    DELETE: { id: "cancel_task", summary: "Stop a replay; what it has queued is sent" },
  },
  "/dead-letters": {
    GET: {
      ...{ id: "list_dead_letters", summary: "Deliveries that failed for good" },
      ...{ query: deadLettersQuery, answer: pageOf(deadLetterAnswer) },
    },
  },
  "/dead-letters/replay": {
    POST: {
      ...{ id: "replay_dead_letters", summary: "Send dead letters again" },
      ...{ body: deadLetterChoice, status: 202, answer: taskAnswer, errors: REPLAYING },
    },
  },
  "/dead-letters/discard": {
    POST: {
      ...{ id: "discard_dead_letters", summary: "Forget dead letters" },
      ...{ body: deadLetterChoice, answer: discardedAnswer },
    },
  },
};

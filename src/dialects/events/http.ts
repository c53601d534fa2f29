/** The routes of the `api` listener, and what all of them share: who calls, the request's id, the form of errors (§4.3, §4.4). */
import type { Hono } from "hono";
import type { ApiEnv } from "../dialect.ts";
import type { Caller } from "./access-token.ts";
import type { Organisation } from "./organisations.ts";

/**
 * What a handler below `/webhooks` and `/organisations/{org}/webhooks` finds. Whatever it throws is answered in the dialect's form:
 * EventsError with its code, HubError by the table, anything else as `internal_error`. `X-Request-Id` and
 * `Cache-Control` are set behind it.
 */
export interface EventsEnv extends ApiEnv {
  readonly Variables: {
    requestId: string;
    /** Its `context` is the app's. Scopes are the handler's to judge (`requireScope`). */
    caller: Caller;
    /** Active: anything else was answered 409 before. */
    organisation: Organisation;
  };
}

export interface EventsRoutesOptions {
  /**
   * Mounted at `/webhooks` for access tokens and at `/organisations/:organisation_id/webhooks` for API keys, behind authentication,
   * so its paths are relative: `/endpoints`, `/endpoints/:id`. A path that it does not know is answered 404; it answers 405 itself.
   */
  readonly webhooks: Hono<EventsEnv>;
}

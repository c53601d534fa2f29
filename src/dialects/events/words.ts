/** The dialect's own words for refusals, which are its API's codes, explained; this file imports no other of the dialect. */
import type { Words } from "../../core/words.ts";

export const EVENTS_WORDS = {
  invalid_channel: {
    means: "The channel's name is not valid.",
    cause: "Its namespace is not in the catalogue, or the name is not of the catalogue's form.",
    remedy: "Read `details.reason`; correct the name or the catalogue.",
  },
  invalid_url: {
    means: "The endpoint's address may not be called.",
    cause: "It is not https, or leads to a private address.",
    remedy: "Give a public https address.",
  },
  authentication_required: {
    means: "The call carries no credential.",
    cause: "There is neither a bearer token nor an API key.",
    remedy: "Send `Authorization: Bearer …` or `X-API-Key`.",
  },
  channel_forbidden: {
    means: "The token does not open the channel.",
    cause:
      "The channel needs a scope that the token lacks, or is another user's or organisation's.",
    remedy:
      "`details` names the channel and the scopes of which one is needed: have the token issued with it.",
  },
  organisation_required: {
    means: "The call does not say for which organisation it is.",
    cause: "The token has no `org_id`, and the call names none.",
    remedy: "Send `organisation_id`, or use a token of the organisation.",
  },
  organisation_not_provisioned: {
    means: "The organisation has no events service.",
    cause: "It was not provisioned, or was deprovisioned.",
    remedy: "Call `/events/provision` for it first.",
  },
  idempotency_conflict: {
    means: "The idempotency key was used for another event.",
    cause: "A key was repeated with other content.",
    remedy: "Use a new key for each event, and the same one for its repetitions alone.",
  },
  endpoint_disabled: {
    means: "The webhook endpoint is disabled.",
    cause: "It failed for too long, or was switched off.",
    remedy: "Enable it once its receiver answers.",
  },
  task_running: {
    means: "A replay of the endpoint is under way.",
    cause: "A second one was asked for before the first has ended.",
    remedy: "Wait until it has ended.",
  },
  too_many_secrets: {
    means: "The endpoint has as many secrets as it may.",
    cause: "Secrets were rotated faster than old ones end.",
    remedy: "Wait until an old one has ended, or delete one.",
  },
} as const satisfies Words;

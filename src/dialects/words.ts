/** Words for refusals and ends that several dialects say beside the core's, explained. */
import type { CoreWord, Words } from "../core/words.ts";

export const SHARED_WORDS = {
  unauthorized: {
    means: "The call carries no credential that counts here.",
    cause:
      "The API key is missing, not known, of another app, without the scope that is needed, or confined to an organisation.",
    remedy:
      "Send a key of `[[api_keys]]` as `X-API-Key`; `carillon key` makes one. `detail` in the log says which check failed.",
  },
  forbidden: {
    means: "The caller is not allowed to do this.",
    cause: "A browser's page of another site calls, or the credential has not the right.",
    remedy:
      "Call from a server, or list the page's origin in the app's `allowed_origins`; give the credential the right.",
  },
  origin_refused: {
    means: "The browser's page may not connect.",
    cause: "Its origin is not in the app's `allowed_origins`.",
    remedy: "If the page is yours, add its origin there.",
  },
  no_app: {
    means: "No app answers at this address.",
    cause: "Several apps are told apart by host name or path, and none has this one.",
    remedy: "Connect to an app's host or path, or correct its `hosts` or `path_prefix`.",
  },
  not_found: {
    means: "What the call names is not there.",
    cause: "The path or the id is mistyped, or what it names was deleted or is another's.",
    remedy: "Compare the call with `/openapi.json`, and the id with a list.",
  },
  method_not_allowed: {
    means: "The path is known, and not with this HTTP method.",
    cause: "A GET in place of a POST, or the other way round.",
    remedy: "Use a method that the header `Allow` names.",
  },
  method_not_found: {
    means: "There is no such method.",
    cause: "Its name is mistyped, or it is not built.",
    remedy: "Compare with the dialect's page or `/openapi.json`.",
  },
  too_large: {
    means: "The body, message or frame is larger than allowed.",
    cause: "The payload or the batch is above the dialect's limit.",
    remedy:
      "Send less, or in parts; or raise the limit that `carillon_limits_hit_total` names, such as `body_size_limit`.",
  },
  payload_too_large: {
    means: "The payload or body is larger than allowed.",
    cause: "It is above the dialect's limit.",
    remedy: "Send less, or a link to it; or raise the limit in the configuration.",
  },
  unsupported_media_type: {
    means: "The body is in a form that is not read here.",
    cause: "It is compressed, or its Content-Type is another.",
    remedy: "Send plain JSON, without Content-Encoding.",
  },
  invalid_request: {
    means: "The request is not of the documented form.",
    cause: "A member is missing, unknown or of another type.",
    remedy: "Read the answer's message, which names the member, and correct the call.",
  },
  insufficient_scope: {
    means: "The token is good, and does not allow this.",
    cause: "It lacks a scope, or is not a token of this kind.",
    remedy: "Have it issued with the scope that the answer or the log line names.",
  },
  conflict: {
    means: "What is there stands against it.",
    cause: "It exists already, or was changed at the same moment.",
    remedy: "Read it again, and decide anew.",
  },
  limit_reached: {
    means: "There are as many of them as may be.",
    cause: "A limit of stored things is reached: keys, endpoints, members, channels.",
    remedy: "Delete some, or raise the limit in the configuration.",
  },
  rate_limited: {
    means: "More calls came in a time than allowed.",
    cause: "A loop without pause, or many callers behind one address.",
    remedy: "Wait for as long as `Retry-After` says, and spread the calls.",
  },
  permission_denied: {
    means: "The channel's rules or the credential do not allow it.",
    cause:
      "Neither the namespace's options nor a claim of the token open the channel to this user.",
    remedy:
      "Give the token the claim that `detail` in the log names, or allow it in the namespace's options.",
  },
  unknown_channel: {
    means: "There is no such channel for this dialect.",
    cause:
      "The namespace is not configured, or does not admit the dialect, or the name is too long.",
    remedy:
      "Add the namespace to `[[channel.namespaces]]`, or the dialect to its `dialects`; correct the name.",
  },
  channel_limit: {
    means: "The connection has as many subscriptions as it may.",
    cause: "A client subscribes to very many channels, or forgets to leave them.",
    remedy: "Unsubscribe from what is not shown, or raise `channel_limit`.",
  },
  scope_missing: {
    means: "A push was left out: the caller may not reach the channel.",
    cause: "The channel is another dialect's, and the API key lacks that dialect's scope.",
    remedy: "Add the scope to the key in `[[api_keys]]`.",
  },
  timeout: {
    means: "Something did not come in time.",
    cause: "The client was silent, or its network does not let it through.",
    remedy: "Look at the client and the firewall; raise the timeout if it is too short.",
  },
  closed: {
    means: "The client, its network or a proxy closed the connection.",
    cause: "A page was left, a device lost its network, or a proxy's timeout passed.",
    remedy:
      "Nothing, if it is meant. If all end after the same time, raise the proxy's read timeout.",
  },
} as const satisfies Words;

export type SharedWord = CoreWord | keyof typeof SHARED_WORDS;

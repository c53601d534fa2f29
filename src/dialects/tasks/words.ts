/** The dialect's own words for refusals and ends, explained, and what its wire shows for each (task-tokens.md §4.4, §5.6). */
import { shownOf, type ErrorsPart } from "../words.ts";
import { RPC_ERRORS, wordOfError, type RpcErrorName } from "./errors.ts";
import { DISCONNECT_ENDS, ENDS, wordOfEnd, type EndName } from "./frames.ts";

export const TASKS_ERRORS: ErrorsPart = {
  words: {
    completed: {
      means: "The task is done, and so is its connection.",
      cause: "A message with `Completed` was sent.",
      remedy: "Nothing: this is how a task ends.",
    },
    authentication_timeout: {
      means: "The client sent no token in time.",
      cause: "It opened a socket and was silent, or its first frame was lost.",
      remedy: "Send the first frame at once; raise `authentication_timeout` for slow links.",
    },
    replaced: {
      means: "A newer connection with the same token took this one's place.",
      cause: "The client connected again, or two clients share one token.",
      remedy: "Nothing, if it is one client. Two clients need a token each.",
    },
    parse_error: {
      means: "The call's body is not JSON.",
      cause: "It is broken, compressed or cut short.",
      remedy: "Send JSON in UTF-8, without Content-Encoding.",
    },
    invalid_params: {
      means: "A parameter of the call is missing or not valid.",
      cause: "`data.param` names it and `data.reason` says why.",
      remedy: "Correct the parameter.",
    },
    task_not_found: {
      means: "There is no such task.",
      cause: "Its time is over, or the id is of another app.",
      remedy: "Get a token again with `get_envoy_token`.",
    },
  },
  shown: [
    ...shownOf("error", RPC_ERRORS, ({ code, message: text }, name) => ({
      ...{ code, text, word: wordOfError(name as RpcErrorName) },
    })),
    ...shownOf<{ code: number; error?: string }>("close", ENDS, ({ code, error: text }, name) => ({
      ...{ code, text, word: wordOfEnd(name as EndName) },
    })),
    ...shownOf("close", DISCONNECT_ENDS, (end) => ({ code: ENDS[end].code })),
    ...["unavailable", "not_available", "invalid_token", "token_expired"].map((word) => ({
      ...{ word, as: "error", code: "-32603" },
    })),
    { word: "too_large", as: "error", code: "-32005" },
    { word: "unsupported_media_type", as: "error", code: "-32700" },
    { word: "no_app", as: "handshake", code: "404" },
  ],
};

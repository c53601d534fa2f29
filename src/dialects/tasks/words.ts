/** The dialect's own words for refusals and ends, explained. */
import type { Words } from "../../core/words.ts";

export const TASKS_WORDS = {
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
} as const satisfies Words;

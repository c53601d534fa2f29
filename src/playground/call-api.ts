/** Calls of this server's own API from within, as the `api` listener would hand them over. */
import type { AnswerCall } from "../transports/api-call.ts";
import { createTargets } from "../transports/call-target.ts";
import type { FindMount } from "../transports/mounts.ts";

export interface AskedCall {
  readonly method?: "GET" | "POST" | undefined;
  /** With its query. */
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

export interface CallAnswer {
  readonly status: number;
  readonly body: string;
}

/** Undefined: `host` is not one, or what is asked can be no request. */
export type CallApi = (host: string, call: AskedCall) => Promise<CallAnswer | undefined>;

/** Whoever does not say it means a POST, which all pushes are. */
export function createCallApi(answerCalls: AnswerCall, findMount: FindMount): CallApi {
  const findTarget = createTargets(findMount);
  return async (host, call) => {
    const target = findTarget(host, call.path);
    const headers = headersOf(call.headers);
    if (target === undefined || headers === undefined) return undefined;
    const { mount, path, search } = target;
    const { method = "POST" } = call;
    const url = `http://localhost${path}${search}`;
    const body = new TextEncoder().encode(call.body);
    const answer = await answerCalls({
      ...{ method, url, path, mount, headers },
      readBody: async (bytesMax) => (body.length > bytesMax ? "too_large" : body),
      onLeave: () => {},
      toRequest: () => new Request(url, { method, headers }),
    });
    const text =
      typeof answer.body === "string" ? answer.body : new TextDecoder().decode(answer.body);
    return { status: answer.status, body: text };
  };
}

/** Undefined: a name or value cannot be sent. */
function headersOf(given: Readonly<Record<string, string>>): Headers | undefined {
  try {
    return new Headers(given);
  } catch {
    return undefined;
  }
}

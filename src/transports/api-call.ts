/** The contract between the `api` listener and dialects: a call as plain data, and its answer. */
import type { Mount, ReadBody } from "./request.ts";

/** What a caller is judged by. A `Request` is one as well. */
export interface RequestHead {
  readonly method: string;
  /** Whole, with its path percent-encoded; its host says nothing. */
  readonly url: string;
  readonly headers: {
    /** In whatever case; several of one name are joined by `, `. */
    get(name: string): string | null;
    has(name: string): boolean;
  };
}

export interface ApiCall extends RequestHead {
  /** Of the request line, percent-encoded, without the app's prefix. */
  readonly path: string;
  readonly mount: Mount;
  /** To be called once the caller is known, where its credential is not in the body. */
  readonly readBody: ReadBody;
  /** Runs `callback` when the caller leaves before it is answered. */
  readonly onLeave: (callback: () => void) => void;
  /** For a router, without a body. Throws TypeError for a method that none may have. */
  toRequest(): Request;
}

export interface ApiAnswer {
  readonly status: number;
  /** Frozen where many answers have the same. */
  readonly headers: Readonly<Record<string, string>>;
  /** `""`: none. */
  readonly body: string | Uint8Array;
}

export type AnswerCall = (call: ApiCall) => ApiAnswer | Promise<ApiAnswer>;

const TEXT_HEADERS = Object.freeze({ "Content-Type": "text/plain; charset=UTF-8" });
const JSON_HEADERS = Object.freeze({ "Content-Type": "application/json" });

/** Says its type in the words that routers have for it. */
export function textAnswer(
  status: number,
  body: string,
  headers?: Readonly<Record<string, string>>,
): ApiAnswer {
  return {
    status,
    headers: headers === undefined ? TEXT_HEADERS : { ...TEXT_HEADERS, ...headers },
    body,
  };
}

export function jsonAnswer(status: number, body: string): ApiAnswer {
  return { status, headers: JSON_HEADERS, body };
}

/** Of a method that only a router could refuse, and of what is not a request. */
export const BAD_TARGET = textAnswer(400, "The request target or Host is not valid\n");

/** As the listeners that have a `Response` to give want it. */
export function responseOf({ status, headers, body }: ApiAnswer): Response {
  return new Response(body === "" ? null : body, { status, headers });
}

/** Of a router's answer, which is whole. */
export async function answerOf(response: Response): Promise<ApiAnswer> {
  // `response.body` is not asked for: that would make a stream of what is whole, and cost a fifth of the request.
  const body = await response.bytes();
  return { status: response.status, headers: Object.fromEntries(response.headers), body };
}

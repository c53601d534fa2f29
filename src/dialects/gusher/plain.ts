/** The plain text answers of §2: every error is one of these, never JSON. */
import type { ApiAnswer } from "../../transports/api-call.ts";
import { BODY_REFUSALS, type BodyRefusal } from "../../transports/request.ts";

export function plainError(
  status: number,
  body: string,
  headers: Readonly<Record<string, string>> = {},
): ApiAnswer {
  return { status, headers: { ...PLAIN, "X-Content-Type-Options": "nosniff", ...headers }, body };
}

const PLAIN = Object.freeze({ "Content-Type": "text/plain; charset=utf-8" });

/** Of the slave's login and handshake. */
export function unauthorized(text: string, headers?: Readonly<Record<string, string>>): ApiAnswer {
  return plainError(401, text, headers);
}

/** A path that is none; a doubled slash leads to the path without it (§2). */
export function notFound({ url }: { readonly url: string }): ApiAnswer {
  const { pathname, search } = new URL(url, "http://localhost");
  if (!pathname.includes("//")) return plainError(404, "404 page not found\n");
  const headers = { Location: pathname.replaceAll(/\/{2,}/g, "/") + search };
  return { status: 301, headers, body: "" };
}

/** A known path: no body and no type; `Allow`, which the original leaves out, since HTTP asks for it. */
export function methodNotAllowed(methods: readonly string[]): ApiAnswer {
  return { status: 405, headers: { Allow: methods.join(", ") }, body: "" };
}

/** Of a body that is not had, in HTTP's words. */
export function bodyRefused(refusal: BodyRefusal): ApiAnswer {
  const { status, text } = BODY_REFUSALS[refusal];
  return plainError(status, `${text}\n`);
}

/** §2.1. */
export function pong(): ApiAnswer {
  return { status: 200, headers: PLAIN, body: "pong" };
}

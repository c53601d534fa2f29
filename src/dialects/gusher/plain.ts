/** The plain text answers of §2: every error is one of these, never JSON. */
import { BODY_REFUSALS, type BodyRefusal } from "../../transports/request.ts";

export function plainError(
  status: number,
  text: string,
  headers: Readonly<Record<string, string>> = {},
): Response {
  return new Response(text, {
    status,
    headers: {
      "Content-Type": "text/plain; charset=utf-8",
      "X-Content-Type-Options": "nosniff",
      ...headers,
    },
  });
}

/** Of the slave's login and handshake. */
export function unauthorized(text: string, headers?: Readonly<Record<string, string>>): Response {
  return plainError(401, text, headers);
}

/** A path that is none; a doubled slash leads to the path without it (§2). */
export function notFound({ url }: { readonly url: string }): Response {
  const { pathname, search } = new URL(url, "http://localhost");
  if (!pathname.includes("//")) return plainError(404, "404 page not found\n");
  const headers = { Location: pathname.replaceAll(/\/{2,}/g, "/") + search };
  return new Response(null, { status: 301, headers });
}

/** A known path: no body and no type; `Allow`, which the original leaves out, since HTTP asks for it. */
export function methodNotAllowed(methods: readonly string[]): Response {
  return new Response(null, { status: 405, headers: { Allow: methods.join(", ") } });
}

/** Of a body that is not had, in HTTP's words. */
export function bodyRefused(refusal: BodyRefusal): Response {
  const { status, text } = BODY_REFUSALS[refusal];
  return plainError(status, `${text}\n`);
}

/** §2.1. */
export function pong(): Response {
  return new Response("pong", { headers: { "Content-Type": "text/plain; charset=utf-8" } });
}

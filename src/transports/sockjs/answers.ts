/** The headers of SockJS's answers: who may read them, who may keep them, and the cookie of sticky balancers (sockjs.md §3). */
import type { SocketRequest } from "../socket.ts";
import type { Service } from "./service.ts";

const TEXT = "text/plain; charset=UTF-8";
const NO_CACHE = "no-store, no-cache, no-transform, must-revalidate, max-age=0";
export const YEAR_SECONDS = 31_536_000;

type Fields = Readonly<Record<string, string>>;

/** By which pages of other origins see an answer. */
export function corsHeaders({ route }: Service, { headers, mount }: SocketRequest): Fields {
  const origin = headers.get("origin");
  const asked = headers.get("access-control-request-headers") ?? "";
  if (origin !== null && route.sockjs?.allowsOrigin?.(origin, mount) === false) {
    return { Vary: "Origin" };
  }
  return {
    Vary: "Origin",
    "Access-Control-Allow-Origin": origin ?? "*",
    ...(origin === null ? undefined : { "Access-Control-Allow-Credentials": "true" }),
    ...(asked === "" ? undefined : { "Access-Control-Allow-Headers": asked }),
  };
}

/** Those of every answer below a session's path. */
export function sessionHeaders(service: Service, asked: SocketRequest): Fields {
  return { ...noCache(service, asked), ...cookie(service, asked) };
}

export function noCache(service: Service, asked: SocketRequest): Fields {
  return { "Cache-Control": NO_CACHE, ...corsHeaders(service, asked) };
}

export function strongCache(nowMs: number): Fields {
  return {
    "Cache-Control": `public, max-age=${YEAR_SECONDS}`,
    Expires: new Date(nowMs + YEAR_SECONDS * 1000).toUTCString(),
  };
}

function cookie({ settings }: Service, { headers }: SocketRequest): Fields | undefined {
  if (!settings.cookie) return undefined;
  const value = /(?:^|;\s*)JSESSIONID=([^;\s]*)/.exec(headers.get("cookie") ?? "")?.[1] ?? "dummy";
  return { "Set-Cookie": `JSESSIONID=${value}; path=/` };
}

export function text(status: number, body: string, headers: Fields = {}): Response {
  return new Response(body, { status, headers: { "Content-Type": TEXT, ...headers } });
}

/** Without a body, and so without a type. */
export function wrongMethod(methods: readonly string[], headers: Fields): Response {
  return new Response(null, { status: 405, headers: { ...headers, Allow: methods.join(", ") } });
}

export function preflight(methods: readonly string[], headers: Fields): Response {
  return new Response(null, {
    status: 204,
    headers: {
      ...headers,
      "Access-Control-Allow-Methods": methods.join(", "),
      "Access-Control-Max-Age": `${YEAR_SECONDS}`,
    },
  });
}

/** A dialect's refusal, with what lets a page see its status. */
export function refusal(response: Response, service: Service, asked: SocketRequest): Response {
  if (response.headers.has("access-control-allow-origin")) return response;
  const headers = new Headers(response.headers);
  for (const [name, value] of Object.entries(corsHeaders(service, asked))) headers.set(name, value);
  if (!headers.has("cache-control")) headers.set("Cache-Control", NO_CACHE);
  return new Response(response.body, { status: response.status, headers });
}

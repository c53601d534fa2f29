/** What a path below a service's base is (sockjs.md §2). It is matched as it is in the request, percent-encoded. */
import type { SockJsTransport } from "../socket.ts";

export type Receiving = Exclude<SockJsTransport, "websocket">;
export type Sending = "xhr_send" | "jsonp_send";

export type Place =
  | { readonly kind: "greeting" | "info" | "iframe" | "script" | "raw" | "websocket" }
  | { readonly kind: "receive"; readonly transport: Receiving; readonly session: string }
  | { readonly kind: "send"; readonly transport: Sending; readonly session: string };

const FIXED: Readonly<Record<string, Place>> = {
  "": { kind: "greeting" },
  "/": { kind: "greeting" },
  "/info": { kind: "info" },
  "/websocket": { kind: "raw" },
};
const IFRAME = /^\/iframe(?:-[-0-9a-z._]*)?\.html$/;
const SESSION = /^\/[^/.]+\/([^/.]+)\/([a-z_]+)$/;

/** `scriptName`: of the client library, below the base. Undefined: it is nothing of SockJS's. */
export function findPlace(below: string, scriptName: string): Place | undefined {
  const path = below.length > 1 && below.endsWith("/") ? below.slice(0, -1) : below;
  const fixed = Object.hasOwn(FIXED, path) ? FIXED[path] : undefined;
  if (fixed !== undefined) return path === "/" && below !== "/" ? undefined : fixed;
  if (IFRAME.test(below)) return { kind: "iframe" };
  if (below === `/${scriptName}`) return { kind: "script" };
  const [, session = "", action = ""] = SESSION.exec(path) ?? [];
  switch (action) {
    case "websocket":
      return { kind: "websocket" };
    case "xhr":
    case "xhr_streaming":
    case "eventsource":
    case "htmlfile":
    case "jsonp":
      return { kind: "receive", transport: action, session };
    case "xhr_send":
    case "jsonp_send":
      return { kind: "send", transport: action, session };
    default:
      return undefined;
  }
}

/** The methods of a place; OPTIONS where pages of other origins ask by script. */
export function methodsOf(place: Place): readonly string[] {
  if (place.kind === "info") return ["OPTIONS", "GET"];
  if (place.kind === "send") return place.transport === "xhr_send" ? ["OPTIONS", "POST"] : ["POST"];
  if (place.kind === "receive" && place.transport.startsWith("xhr")) return ["OPTIONS", "POST"];
  return ["GET"];
}

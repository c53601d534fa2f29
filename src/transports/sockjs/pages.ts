/** What lies at a service's fixed paths: the greeting, `/info`, the iframe page and the client library it loads (sockjs.md §4). */
import { createHash } from "node:crypto";
import type { Random } from "../../core/runtime.ts";
import type { SocketRequest } from "../socket.ts";
import { noCache, strongCache, text, YEAR_SECONDS } from "./answers.ts";
import { SCRIPT_NAME, type Service } from "./service.ts";

export function greeting(): Response {
  return text(200, "Welcome to SockJS!\n");
}

export function info(service: Service, asked: SocketRequest, random: Random): Response {
  const body = {
    websocket: !service.disabled.has("websocket"),
    origins: ["*:*"],
    cookie_needed: service.settings.cookie,
    entropy: Math.floor(random.fraction() * 2 ** 32),
  };
  const headers = noCache(service, asked);
  return new Response(JSON.stringify(body), {
    headers: { "Content-Type": "application/json; charset=UTF-8", ...headers },
  });
}

/** The same bytes for the same script, whatever its name ends with and is asked with. */
export function iframe({ route }: Service, asked: SocketRequest, nowMs: number): Response {
  // With the prefix of whichever app: the page lies beside the script.
  const beside = asked.url.pathname.replace(/[^/]*$/, "");
  const page = iframePage(route.sockjs?.scriptUrl ?? beside + SCRIPT_NAME);
  const etag = `"${createHash("sha256").update(page).digest("base64url").slice(0, 22)}"`;
  const headers = { ...strongCache(nowMs), ETag: etag };
  if (asked.headers.get("if-none-match") === etag) {
    return new Response(null, { status: 304, headers });
  }
  return new Response(page, {
    headers: { "Content-Type": "text/html; charset=UTF-8", ...headers },
  });
}

/** Read when it is first asked for. */
export async function script(nowMs: number): Promise<Response> {
  const library = await import("sockjs-client/dist/sockjs.min.js", { with: { type: "text" } });
  return new Response(library.default, {
    headers: {
      "Content-Type": "application/javascript; charset=UTF-8",
      "X-Content-Type-Options": "nosniff",
      ...strongCache(nowMs),
      "Cache-Control": `public, max-age=${YEAR_SECONDS}, immutable`,
    },
  });
}

/** Fixed by the protocol, save for the script's address. */
function iframePage(scriptUrl: string): string {
  const address = scriptUrl.replaceAll("&", "&amp;").replaceAll('"', "&quot;");
  return `<!DOCTYPE html>
<html>
<head>
  <meta http-equiv="X-UA-Compatible" content="IE=edge" />
  <meta http-equiv="Content-Type" content="text/html; charset=UTF-8" />
  <script src="${address}"></script>
  <script>
    document.domain = document.domain;
    SockJS.bootstrap_iframe();
  </script>
</head>
<body>
  <h2>Don't panic!</h2>
  <p>This is a SockJS hidden iframe. It's used for cross domain magic.</p>
</body>
</html>`;
}

/** Why a WebSocket does not come to be: what stands between, the path, a refusal. */
import { ClientFailure } from "./client.ts";
import { ANSWER_MS, type Checking } from "./context.ts";
import { exchange, Unreachable, UPGRADE } from "./exchange.ts";
import { refusedClient } from "./refusals.ts";
import type { Finding } from "./report.ts";

export async function whyNoUpgrade(
  { clientsUrl, runtime }: Checking,
  path: string,
): Promise<Omit<Finding, "about">> {
  try {
    const { status, body } = await exchange(new URL(clientsUrl + path), {
      ...{ headers: UPGRADE, until: "head", timers: runtime.timers, timeoutMs: ANSWER_MS },
    });
    return upgradeFinding(status, body, path.split("?", 1)[0] ?? path);
  } catch (error) {
    if (!(error instanceof Unreachable)) throw error;
    const remedy = "Check what stands between, and its log";
    const message = `A WebSocket's handshake gets no answer: ${error.message}`;
    return { severity: "error", id: "upgrade", message, remedy };
  }
}

function upgradeFinding(status: number, body: string, path: string): Omit<Finding, "about"> {
  const severity = "error";
  if (status === 403) {
    const remedy = "The server's log tells why, at level debug";
    return {
      severity,
      id: "handshake",
      message: `The handshake is refused: 403 ${body}`.trim(),
      remedy,
    };
  }
  if (status === 401) {
    return refusedClient(new ClientFailure("refused", "invalid token"));
  }
  if (status === 404) {
    const remedy =
      "Have the proxy pass all paths on as they are; or the dialect is off, or has another path in the server's configuration";
    return { severity, id: "path", message: `There is no ${path} on clients: 404`, remedy };
  }
  if (status >= 500) {
    const remedy =
      "Look whether the server is stopping or full (connection_limit), or the proxy has none behind it";
    return { severity, id: "handshake", message: `The handshake is answered ${status}`, remedy };
  }
  return {
    ...{ severity, id: "upgrade" },
    message: "The WebSocket upgrade does not come through",
    remedy:
      'Have the proxy pass it on. nginx: proxy_http_version 1.1; proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection "upgrade"',
  };
}

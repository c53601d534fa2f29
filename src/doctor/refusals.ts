/** What a refusal means for whoever runs the server. */
import type { ProbeRefused } from "../dialects/probe.ts";
import type { ClientFailure } from "./client.ts";
import type { Finding } from "./report.ts";

type Told = Omit<Finding, "about">;

/** Of a call to the API, or of a login. */
export function refusedCall({ status, message, of }: ProbeRefused): Told {
  if (of === "login" && status < 500) {
    return {
      ...{ severity: "error", id: "login" },
      message: `The login is refused: ${message}`,
      remedy:
        "Compare [[signing_keys]] of both configurations, and the clocks of the machines that sign and check",
    };
  }
  const scope = /lacks the scope "([^"]+)"/.exec(message)?.[1];
  if (scope !== undefined) {
    return {
      ...{ severity: "error", id: "key-scope" },
      message: `The API key lacks the scope "${scope}"`,
      remedy: `Add "${scope}" to its scopes in [[api_keys]], or make another one: carillon key --scope ${scope}`,
    };
  }
  if (status === 401) {
    return {
      ...{ severity: "error", id: "key" },
      message: "The API does not accept the key",
      remedy:
        "Give a key of this server by --key; carillon key makes one with its entry for the configuration",
    };
  }
  const remedy =
    status === 403
      ? "Check that the key has the scope of the dialect, and that [channel] lists the dialect for the channel"
      : "The server's log has the reason, at level debug";
  return {
    severity: "error",
    id: "call",
    message: `A call is answered ${status}: ${message}`,
    remedy,
  };
}

/** Of a client whose WebSocket came to be. */
export function refusedClient({ kind, message }: ClientFailure): Told {
  if (kind === "silent") {
    const remedy = "Check what stands between: a proxy that takes the upgrade and passes no frames";
    return { severity: "error", id: "silent", message, remedy };
  }
  if (/expired|\b109\b/i.test(message)) {
    const remedy =
      "Make another one: carillon token; and compare the clocks of the machines that sign and check";
    return {
      severity: "error",
      id: "token-expired",
      message: `The token has expired: ${message}`,
      remedy,
    };
  }
  if (/\b3500\b|token|4500|invalid|unauthor/i.test(message)) {
    return {
      ...{ severity: "error", id: "token" },
      message: "The token is refused",
      remedy:
        "It is signed by another key than the server's: compare [[signing_keys]] of both configurations",
    };
  }
  return {
    ...{ severity: "error", id: "refused" },
    message: `The client is refused: ${message}`,
    remedy: "The server tells why: GET /admin/api/refusals, or its log at level debug",
  };
}

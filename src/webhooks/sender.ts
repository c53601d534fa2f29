/** One request to an endpoint: its bytes, headers and signatures (webhooks.md §6), and what came of it. */
import type { WebhookAttemptError } from "./contract.ts";
import { createConnections } from "../outbound/connections.ts";
import {
  OutboundError,
  type OutboundErrorReason,
  type OutboundResponse,
} from "../outbound/contract.ts";
import { request } from "../outbound/request.ts";
import type { WebhooksContext } from "./context.ts";
import type { EndpointSecrets } from "./endpoint-store.ts";
import { signatureHeader } from "./signature.ts";
import { targetProblem } from "./target.ts";
import { isSuccess, type Outcome } from "./verdict.ts";

const USER_AGENT = "Carillon-Webhooks/1.0";
const TIMEOUT_MS = 15_000;
const RESPONSE_BYTES_READ = 65_536;
const RESPONSE_BYTES_KEPT = 20_000;
/** Kept connections of all origins, and for how long: common servers keep theirs for 5 s and more. */
const CONNECTIONS = { idleMax: 1_000, idleMs: 4_000 };

export interface Sending {
  /** The `webhook-id`. */
  readonly id: string;
  readonly body: string;
}

export function createSender({ policy, settings, runtime, ca, onError }: WebhooksContext) {
  const connections = createConnections(CONNECTIONS);
  const { clock, timers } = runtime;

  function exchange(secrets: EndpointSecrets, { id, body }: Sending, atMs: number) {
    const bytes = new TextEncoder().encode(body);
    const timestamp = Math.floor(atMs / 1000);
    const live = secrets.keys.filter(({ expiresAtMs = Infinity }) => expiresAtMs > atMs);
    return request({
      ...{ url: secrets.url, method: "POST", body: bytes, ...policy },
      headers: {
        ...secrets.headers,
        "content-type": "application/json",
        "user-agent": USER_AGENT,
        "webhook-id": id,
        "webhook-timestamp": `${timestamp}`,
        "webhook-signature": signatureHeader(
          live.map(({ key }) => key),
          { id, timestamp, body: bytes },
        ),
      },
      ...{ timeoutMs: TIMEOUT_MS, responseBytesMax: RESPONSE_BYTES_READ, cutLongBody: true },
      ...{ connections, timers, ...(ca === undefined ? {} : { ca }) },
    });
  }

  return {
    /** Never rejects: what fails before a byte is sent is an attempt that failed. Undefined: the secrets cannot be read. */
    async send(secrets: EndpointSecrets | undefined, sending: Sending): Promise<Outcome> {
      const atMs = clock.epochMs();
      const startMs = clock.monotonicMs();
      const about = () => ({ atMs, durationMs: Math.round(clock.monotonicMs() - startMs) });
      const failed = (error: WebhookAttemptError) => ({ ...NO_RESPONSE, ...about(), error });
      if (secrets === undefined) return failed("connect");
      try {
        // The rules may have changed since the URL was taken.
        if (targetProblem(secrets.url, settings) !== undefined) return failed("blocked_address");
        return { ...outcomeOf(await exchange(secrets, sending, atMs)), ...about() };
      } catch (error) {
        if (error instanceof OutboundError) return failed(ERRORS[error.reason]);
        onError(error, "a request to an endpoint");
        return failed("connect");
      }
    },

    close(): void {
      connections.close();
    },
  };
}

export type Sender = ReturnType<typeof createSender>;

const NO_RESPONSE = {
  ...{ status: null, responseBody: null, responseTruncated: false },
  ...{ retryAfter: undefined, control: undefined },
};

const ERRORS = {
  invalid_url: "connect",
  blocked_address: "blocked_address",
  dns: "dns",
  connect: "connect",
  tls: "tls",
  timeout: "timeout",
  too_large: "response_too_large",
  protocol: "connect",
} as const satisfies Record<OutboundErrorReason, WebhookAttemptError>;

function outcomeOf({ status, headers, body, cut }: OutboundResponse) {
  const kept = body.subarray(0, RESPONSE_BYTES_KEPT);
  return {
    status,
    error: errorOf(status, cut),
    // A character that the cut went through is left out.
    responseBody: new TextDecoder().decode(kept, { stream: true }),
    responseTruncated: cut || body.length > kept.length,
    retryAfter: headers["retry-after"],
    control: headers["webhook-delivery"],
  };
}

/** A success is one whatever its body: only a refusal is told that nobody read all of it. */
function errorOf(status: number, cut: boolean): WebhookAttemptError | null {
  if (status >= 300 && status <= 399) return "redirect";
  return cut && !isSuccess({ status, error: null }) ? "response_too_large" : null;
}

/** Why a request got no answer. */

export type OutboundErrorReason =
  | "invalid_url"
  | "blocked_address"
  | "dns"
  | "connect"
  | "tls"
  | "timeout"
  | "too_large"
  | "protocol";

/** Messages name the host only: paths and queries carry secrets, and a blocked address must not leak. */
export class OutboundError extends Error {
  readonly reason: OutboundErrorReason;

  constructor(reason: OutboundErrorReason, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = "OutboundError";
    this.reason = reason;
  }
}

export function tooLarge(url: URL, what: string): OutboundError {
  return new OutboundError("too_large", `Host "${url.hostname}" answered with ${what}`);
}

export function timedOut(url: URL): OutboundError {
  return new OutboundError("timeout", `Host "${url.hostname}" did not answer in time`);
}

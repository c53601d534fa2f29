/** Asks another server about a token (RFC 7662). What is remembered of its answers is the caller's. */
import { HubError } from "../core/errors.ts";
import type { Timers } from "../core/runtime.ts";
import { OutboundError } from "../outbound/contract.ts";
import { request } from "../outbound/request.ts";

/** For the whole question: a client waits for it, and its SockJS gives a transport up a little later. */
const TIMEOUT_MS = 3_000;
/** Of the answer. */
const ANSWER_BYTES_MAX = 65_536;

export interface IntrospectionOptions {
  readonly url: string;
  /** With both, sent as HTTP Basic (RFC 6749 §2.3.1). */
  readonly clientId?: string | undefined;
  readonly clientSecret?: string | undefined;
  readonly timers: Pick<Timers, "after">;
}

/** The answer's members when it says that the token is active; undefined when it says that it is not. Throws HubError `unavailable`. */
export type Introspect = (token: string) => Promise<Readonly<Record<string, unknown>> | undefined>;

export function createIntrospection(options: IntrospectionOptions): Introspect {
  const { url, clientId, clientSecret, timers } = options;
  const credentials =
    clientId === undefined || clientSecret === undefined
      ? {}
      : { authorization: `Basic ${basic(clientId, clientSecret)}` };
  return async (token) => {
    const answer = await ask();
    if (typeof answer !== "object" || answer === null || !("active" in answer)) throw noAnswer();
    return answer.active === true ? (answer as Readonly<Record<string, unknown>>) : undefined;

    async function ask(): Promise<unknown> {
      try {
        const { status, body } = await request({
          url,
          method: "POST",
          headers: {
            ...credentials,
            accept: "application/json",
            "content-type": "application/x-www-form-urlencoded",
          },
          body: new URLSearchParams({ token, token_type_hint: "access_token" }).toString(),
          timeoutMs: TIMEOUT_MS,
          responseBytesMax: ANSWER_BYTES_MAX,
          timers,
          // The operator named the address, so it may be a private one.
          allowAddress: () => true,
        });
        return status === 200 ? JSON.parse(Buffer.from(body).toString()) : undefined;
      } catch (error) {
        // Without the parser's message, which quotes the text.
        throw noAnswer(error instanceof OutboundError ? error : undefined);
      }
    }
  };
}

function noAnswer(cause?: OutboundError): HubError {
  return new HubError("unavailable", "The token could not be introspected", { cause });
}

function basic(id: string, secret: string): string {
  return Buffer.from(`${encodeURIComponent(id)}:${encodeURIComponent(secret)}`).toString("base64");
}

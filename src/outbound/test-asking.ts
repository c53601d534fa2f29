/** Requests with options that suit most tests, and what came of them. */
import { OutboundError, type OutboundErrorReason, type OutboundRequest } from "./contract.ts";
import { request } from "./request.ts";

export const defaults = {
  timeoutMs: 5000,
  responseBytesMax: 1000,
  allowAddress: () => true,
  lookup: async () => ["127.0.0.1"],
};

export const ask = (url: string, options: Partial<OutboundRequest> = {}) =>
  request({ ...defaults, url, ...options });

export async function failureOf(outcome: Promise<unknown>): Promise<OutboundError> {
  const error = await outcome.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  if (!(error instanceof OutboundError))
    throw new Error("Expected an OutboundError", { cause: error });
  return error;
}

export const reasonOf = async (outcome: Promise<unknown>): Promise<OutboundErrorReason> =>
  (await failureOf(outcome)).reason;

export const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);

/** A request as the echo server got it. */
interface Seen {
  method: string;
  url: string;
  headers: Record<string, string>;
  body: string;
  servername: string | false | null;
}

export const seen = async (outcome: ReturnType<typeof ask>): Promise<Seen> =>
  JSON.parse(text((await outcome).body)) as Seen;

/** A JSON document from a URL, such as a key set: one checked GET, bounded in time and size. */

import { OutboundError, type OutboundRequest } from "./contract.ts";
import { request } from "./request.ts";

export type JsonRequest = Omit<OutboundRequest, "method" | "body">;

/** The parsed body of a 200 answer. Throws `OutboundError`, with reason `protocol` for any other status or no JSON. */
export async function fetchJson(options: JsonRequest): Promise<unknown> {
  const headers = { accept: "application/json", ...options.headers };
  const { status, body } = await request({ ...options, headers });
  if (status !== 200) throw new OutboundError("protocol", `Expected status 200, got ${status}`);
  try {
    return JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(body));
  } catch {
    // Without the cause: the parser's message quotes the text.
    throw new OutboundError("protocol", "Expected a JSON body");
  }
}

/** A JSON document from a URL, such as a key set: one checked GET, bounded in time and size. */

import { OutboundError, type OutboundRequest, type OutboundResponse } from "./contract.ts";

export type JsonRequest = Omit<OutboundRequest, "method" | "body">;

export interface JsonPost extends JsonRequest {
  /** JSON text. */
  readonly body: string;
}

/** A JSON document sent, and the text of the one that answers 200. Throws likewise; whether the text is JSON is for the caller to see. */
export async function postJson(options: JsonPost): Promise<string> {
  const headers = {
    ...{ accept: "application/json", "content-type": "application/json" },
    ...options.headers,
  };
  const { status, body } = await request({ ...options, method: "POST", headers });
  if (status !== 200) throw new OutboundError("protocol", `Expected status 200, got ${status}`);
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(body);
  } catch {
    throw new OutboundError("protocol", "Expected a body in UTF-8");
  }
}

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

/** Loaded for the first of them: `node:http` is a tenth of a start, and most servers ask nobody. */
async function request(options: OutboundRequest): Promise<OutboundResponse> {
  return (await import("./request.ts")).request(options);
}

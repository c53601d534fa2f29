/** One HTTP request of a command. On `node:http`, because the runtime's `fetch` obeys proxy variables. */
import { CommandError, reasonOf } from "./failure.ts";

const TIMEOUT_MS = 10_000;
/** An answer larger than this is not one of our API's to a single call. */
const BODY_BYTES_MAX = 16_777_216;

export interface AskOptions {
  readonly headers: Readonly<Record<string, string>>;
  /** Sent by a POST; absent: it is a GET. */
  readonly body?: string;
}

export interface HttpAnswer {
  readonly status: number;
  readonly body: string;
}

/** Resolves with any status. Throws CommandError when there is no answer within 10 s. */
export async function ask(url: URL, { headers, body }: AskOptions): Promise<HttpAnswer> {
  const length = body === undefined ? {} : { "content-length": Buffer.byteLength(body) };
  // Loaded for commands that ask: the server starts sooner without.
  const { request } = await (url.protocol === "https:"
    ? import("node:https")
    : import("node:http"));
  try {
    return await new Promise<HttpAnswer>((resolve, reject) => {
      const sent = request(
        url,
        {
          method: body === undefined ? "GET" : "POST",
          agent: false,
          headers: { ...headers, ...length },
          signal: AbortSignal.timeout(TIMEOUT_MS),
        },
        (response) => {
          const chunks: Buffer[] = [];
          let bytes = 0;
          response.on("data", (chunk: Buffer) => {
            bytes += chunk.length;
            if (bytes > BODY_BYTES_MAX) response.destroy(new Error("The answer is too large"));
            else chunks.push(chunk);
          });
          response.on("error", reject);
          response.on("end", () => {
            resolve({ status: response.statusCode ?? 0, body: Buffer.concat(chunks).toString() });
          });
        },
      );
      sent.on("error", reject);
      sent.end(body);
    });
  } catch (error) {
    throw new CommandError(`Asking ${url.origin} failed: ${reasonOf(error)}`, {
      ...{ cause: error, word: "server_unreachable" },
    });
  }
}

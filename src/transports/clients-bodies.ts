/** Bodies of requests to the `clients` listener: Bun reads them, and all of them together have a bound. */
import { BodyMemory, isCompressed } from "./request-body.ts";
import type { ReadBody } from "./request.ts";

/** Bytes of all bodies at once, counted as their requests declare them; a further one is refused until some are answered. */
export const BODIES_BYTES_MAX = 33_554_432;

export interface TakenBody {
  readonly read: ReadBody;
  /** To be called once nothing holds it any more, at the latest when the request is answered. */
  readonly release: () => void;
}

export class ClientsBodies {
  readonly #memory = new BodyMemory(BODIES_BYTES_MAX);
  /** Of one: what a body counts as that does not say how long it is. */
  readonly #bytesMax: number;

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
  }

  /** Undefined: there is no memory for it. */
  take(request: Request): TakenBody | undefined {
    const { headers } = request;
    const chunked = headers.has("transfer-encoding");
    const bytes = chunked ? this.#bytesMax : Number(headers.get("content-length") ?? 0);
    if (!this.#memory.take(bytes)) return undefined;
    let reading: Promise<Uint8Array | undefined> | undefined;
    let held = bytes;
    return {
      release: () => {
        this.#memory.give(held);
        held = 0;
      },
      async read(bytesMax) {
        if (bytes === 0) return new Uint8Array();
        if (isCompressed(headers.get("content-encoding"))) return "compressed";
        if (!chunked && bytes > bytesMax) return "too_large";
        // It fails when the client leaves, takes longer than a request may, or sends more than it said.
        const body = await (reading ??= request.bytes().catch(() => undefined));
        if (body === undefined) return "cut";
        return body.length > bytesMax ? "too_large" : body;
      },
    };
  }
}

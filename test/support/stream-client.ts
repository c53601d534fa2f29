/** A client of an HTTP answer that streams, on a bare TCP socket: it can stop reading, and tells an answer's end from a cut. */
import { connect as connectTcp } from "node:net";

export interface StreamClient {
  readonly status: number;
  /** The next block of the body up to `separator`, which is left out; undefined once the answer ended or was cut. */
  next(): Promise<string | undefined>;
  /** Resolves when the connection is gone: whether the answer came to its end. */
  readonly whole: Promise<boolean>;
  pause(): void;
  resume(): void;
  destroy(): void;
}

/** Resolves with the answer's head. */
export function openStream(url: string, separator: string): Promise<StreamClient> {
  const { hostname, port, pathname, search } = new URL(url);
  const head = Promise.withResolvers<StreamClient>();
  const ended = Promise.withResolvers<boolean>();
  const blocks: string[] = [];
  const waiting: ((block: string | undefined) => void)[] = [];
  const socket = connectTcp({ host: hostname, port: Number(port) }, () => {
    socket.write(`GET ${pathname}${search} HTTP/1.1\r\nHost: ${hostname}:${port}\r\n\r\n`);
  });
  let gone = false;
  let decode: ((bytes: Buffer) => Buffer) | undefined;
  let whole = () => false;
  let unread = Buffer.alloc(0);
  let text = Buffer.alloc(0);

  function begin(): void {
    const end = unread.indexOf("\r\n\r\n");
    if (end === -1) return;
    const lines = unread.subarray(0, end).toString("latin1").toLowerCase();
    unread = unread.subarray(end + 4);
    const chunked = lines.includes("transfer-encoding: chunked") ? createDechunker() : undefined;
    const length = Number(/content-length: (\d+)/.exec(lines)?.[1]);
    let received = 0;
    decode = (bytes) => {
      received += bytes.length;
      return chunked === undefined ? bytes : chunked.decode(bytes);
    };
    whole = () => chunked?.whole() ?? received === length;
    head.resolve({
      status: Number(lines.split(" ")[1]),
      whole: ended.promise,
      async next() {
        const block = blocks.shift();
        if (block !== undefined || gone) return block;
        return new Promise((resolve) => waiting.push(resolve));
      },
      pause: () => void socket.pause(),
      resume: () => void socket.resume(),
      destroy: () => void socket.destroy(),
    });
  }

  socket.on("data", (chunk: Buffer) => {
    unread = Buffer.concat([unread, chunk]);
    if (decode === undefined) begin();
    if (decode === undefined) return;
    text = Buffer.concat([text, decode(unread)]);
    unread = Buffer.alloc(0);
    for (let end = text.indexOf(separator); end !== -1; end = text.indexOf(separator)) {
      const block = text.subarray(0, end).toString();
      text = text.subarray(end + separator.length);
      const waiter = waiting.shift();
      if (waiter === undefined) blocks.push(block);
      else waiter(block);
    }
  });
  // A reset is one way to be cut.
  socket.on("error", () => {});
  socket.on("close", () => {
    gone = true;
    ended.resolve(whole());
    head.reject(new Error("The connection ended before its answer"));
    for (const waiter of waiting.splice(0)) waiter(undefined);
  });
  return head.promise;
}

/** RFC 9112 §7.1, without extensions and trailers. */
function createDechunker() {
  let rest = Buffer.alloc(0);
  let whole = false;
  return {
    whole: () => whole,
    decode(bytes: Buffer): Buffer {
      rest = Buffer.concat([rest, bytes]);
      const data: Buffer[] = [];
      for (;;) {
        const line = rest.indexOf("\r\n");
        const length =
          line === -1 ? Number.NaN : Number.parseInt(rest.toString("latin1", 0, line), 16);
        if (!(rest.length >= line + 4 + length)) return Buffer.concat(data);
        whole = length === 0;
        data.push(rest.subarray(line + 2, line + 2 + length));
        rest = rest.subarray(line + 4 + length);
      }
    },
  };
}

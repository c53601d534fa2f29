/**
 * A load process: a few connections that join new channels and leave them again, in frames of several commands, and
 * how long each takes. Its first input line is a `ChangesSpec`; each further line runs that many rounds.
 */
import { fail, readLines, writeLine } from "../../src/bench/load/lines.ts";
import { type FrameSink, WsClient } from "../../src/bench/load/ws-client.ts";

export interface ChangesSpec {
  readonly host: string;
  readonly port: number;
  readonly path: string;
  readonly init: readonly string[];
  /** `%s` in `init`. */
  readonly text: string;
  readonly replies: number;
  readonly connections: number;
  /** Commands in a frame, and channels that a connection is in between joining and leaving. */
  readonly perFrame: number;
  /** One command; `%d` is the channel's number, `%i` the command's. */
  readonly subscribe: string;
  readonly unsubscribe: string;
}

export interface ChangesReport {
  readonly operations: number;
  readonly subscribeSeconds: number;
  readonly unsubscribeSeconds: number;
}

const NEWLINE = 0x0a;
const ERROR = Buffer.from('"error":');

class Changes implements FrameSink {
  readonly #spec: ChangesSpec;
  readonly #clients: WsClient[];
  #awaited = 0;
  #settle: (() => void) | undefined;
  #channel = 0;
  #command = 10;

  constructor(spec: ChangesSpec) {
    this.#spec = spec;
    this.#clients = Array.from(
      { length: spec.connections },
      (_, index) => new WsClient(index, spec, this),
    );
  }

  async connect(): Promise<void> {
    const { replies, connections } = this.#spec;
    for (const client of this.#clients) client.connect();
    await this.#answers(replies * connections);
    writeLine({ ready: connections });
  }

  async run(rounds: number): Promise<void> {
    const { connections, perFrame, subscribe, unsubscribe } = this.#spec;
    const perRound = connections * perFrame;
    let subscribeMs = 0;
    let unsubscribeMs = 0;
    for (let round = 0; round < rounds; round++) {
      const first = this.#channel;
      this.#channel += perRound;
      subscribeMs += await this.#all(subscribe, first);
      unsubscribeMs += await this.#all(unsubscribe, first);
    }
    const report: ChangesReport = {
      operations: rounds * perRound,
      subscribeSeconds: subscribeMs / 1000,
      unsubscribeSeconds: unsubscribeMs / 1000,
    };
    writeLine(report);
  }

  /** One frame on each connection; milliseconds until all was answered. */
  async #all(command: string, first: number): Promise<number> {
    const { perFrame, connections } = this.#spec;
    const frames = this.#clients.map(({ index }) =>
      Array.from({ length: perFrame }, (_, place) =>
        command
          .replace("%d", `${first + index * perFrame + place}`)
          .replace("%i", `${this.#command++}`),
      ).join("\n"),
    );
    const startMs = performance.now();
    for (const [index, client] of this.#clients.entries()) client.send(frames[index] ?? "");
    await this.#answers(perFrame * connections);
    return performance.now() - startMs;
  }

  #answers(count: number): Promise<void> {
    this.#awaited = count;
    return new Promise((resolve) => {
      this.#settle = resolve;
    });
  }

  opened(client: WsClient): void {
    for (const frame of this.#spec.init) client.send(frame.replaceAll("%s", this.#spec.text));
  }

  message(client: WsClient, bytes: Uint8Array, start: number, end: number): void {
    const text = Buffer.from(bytes.buffer, bytes.byteOffset + start, end - start);
    if (text.length === 2 && text.toString() === "{}") {
      client.send("{}");
      return;
    }
    if (text.includes(ERROR)) fail(`A command was refused: ${text.toString()}`);
    this.#awaited -= 1;
    for (let at = text.indexOf(NEWLINE); at >= 0; at = text.indexOf(NEWLINE, at + 1)) {
      if (at < text.length - 1) this.#awaited -= 1;
    }
    if (this.#awaited === 0) this.#settle?.();
  }

  frames(_client: WsClient, _bytes: Uint8Array, at: number): number {
    return at;
  }

  chunk(): void {}

  closed(_client: WsClient, code: number): void {
    fail(`The server closed a connection with ${code}`);
  }
}

let changes: Changes | undefined;
await readLines(Bun.stdin.stream(), (line) => {
  if (changes !== undefined) void changes.run(Number(line));
  else {
    changes = new Changes(line as ChangesSpec);
    void changes.connect();
  }
});
process.exit(0);

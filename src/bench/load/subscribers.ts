/**
 * A load process: opens many connections, joins each to its channels, then counts what they receive.
 * Its first input line is a `SubscribersSpec`. It answers `ready`, then takes `measure`, `close`, and `report` lines.
 */
import type { Address } from "./address.ts";
import { epochUs, recalibrate } from "./clock.ts";
import { Lateness } from "./lateness.ts";
import { fail, readLines, writeLine } from "./lines.ts";
import { Tally, type TallyReport } from "./tally.ts";
import { Times } from "./times.ts";
import { type FrameSink, WsClient } from "./ws-client.ts";

export interface SubscribersSpec extends Address {
  /** `%s` is the connection's entry of `texts`. */
  readonly path: string;
  readonly connections: number;
  /** Sent after the upgrade. `%d` is the connection's number, `%07d` the same in seven digits, `%s` its entry of `texts`. */
  readonly init: readonly string[];
  /** Connection `i` has entry `i % texts.length`. */
  readonly texts?: readonly string[];
  /** Further frames after `init`, for connections with many channels: a line for each, `%07d` counts over all of them. */
  readonly bulk?: { readonly line: string; readonly lines: number; readonly linesPerFrame: number };
  /** Messages that each connection receives before it counts as ready. */
  readonly replies: number;
  /** Connections under way at a time. */
  readonly opening: number;
  /** In place of that: each is begun at its place in this time, whatever became of the others. */
  readonly spreadMs?: number;
  readonly sampleEvery: number;
  readonly checkEvery?: number;
  readonly complete: boolean;
}

export interface Ready {
  readonly ready: number;
  readonly failed: number;
  /** From the first connect to the last reply. */
  readonly seconds: number;
  /** Share of one core that this process used meanwhile. */
  readonly cpu: number;
  readonly loopLateMs: number;
  /** Of each connection, from its beginning to the last reply, thinned. */
  readonly openedUs: readonly number[];
  /** The first error reply that was seen. */
  readonly refusal?: string;
}

export interface SubscribersReport extends TallyReport {
  /** Since `measure`. */
  readonly seconds: number;
  readonly cpu: number;
  /** Its event loop, in 99 of 100 looks. */
  readonly loopLateMs: number;
  /** Connections that ended since they were ready, with the codes of their close frames. */
  readonly closed: number;
  readonly closeCodes: readonly number[];
}

const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;
const NEWLINE = 0x0a;
const ERROR = Buffer.from('"error":');

class Subscribers implements FrameSink {
  readonly #spec: SubscribersSpec;
  readonly #tally: Tally;
  readonly #clients: WsClient[] = [];
  /** Replies that each connection still waits for; -1 once it is closed. */
  readonly #awaited: Int32Array;
  readonly #closeCodes: number[] = [];
  readonly #startedUs: Float64Array;
  readonly #opened: Times;
  readonly #lateness = new Lateness();
  readonly #startMs = performance.now();
  readonly #startCpu = process.cpuUsage();
  #measuredMs = 0;
  #measuredCpu = process.cpuUsage();
  #started = 0;
  #ready = 0;
  #failed = 0;
  #refusal: string | undefined;

  constructor(spec: SubscribersSpec) {
    this.#spec = spec;
    const { connections: subscribers, sampleEvery, checkEvery = 1, complete, spreadMs } = spec;
    this.#tally = new Tally({ subscribers, sampleEvery, checkEvery, complete });
    this.#awaited = new Int32Array(subscribers).fill(spec.replies);
    this.#startedUs = new Float64Array(subscribers);
    this.#opened = new Times(subscribers);
    if (spreadMs !== undefined) this.#startOver(spreadMs);
    else while (this.#started < Math.min(spec.opening, subscribers)) this.#startNext();
  }

  #startOver(spreadMs: number): void {
    const { connections } = this.#spec;
    const due = ((performance.now() - this.#startMs) * connections) / spreadMs;
    while (this.#started < Math.min(due, connections)) this.#start();
    if (this.#started < connections) setTimeout(() => this.#startOver(spreadMs), 1);
  }

  #startNext(): void {
    if (this.#spec.spreadMs === undefined) this.#start();
  }

  #start(): void {
    if (this.#started >= this.#spec.connections) return;
    const { path } = this.#spec;
    const index = this.#started++;
    this.#startedUs[index] = epochUs();
    const endpoint = { ...this.#spec, path: path.replaceAll("%s", this.#textOf(index)) };
    const client = new WsClient(index, endpoint, this);
    this.#clients.push(client);
    client.connect();
  }

  #textOf(index: number): string {
    const { texts = [] } = this.#spec;
    return texts[index % texts.length] ?? "";
  }

  opened(client: WsClient): void {
    const { init, bulk } = this.#spec;
    const text = this.#textOf(client.index);
    for (const frame of init) {
      const number = `${client.index}`;
      const padded = frame.replaceAll("%07d", number.padStart(7, "0"));
      client.send(padded.replaceAll("%d", number).replaceAll("%s", text));
    }
    if (bulk !== undefined) {
      const first = client.index * bulk.lines;
      for (let from = 0; from < bulk.lines; from += bulk.linesPerFrame) {
        const count = Math.min(bulk.linesPerFrame, bulk.lines - from);
        const lines = Array.from({ length: count }, (_, line) =>
          bulk.line.replaceAll("%07d", `${first + from + line}`.padStart(7, "0")),
        );
        client.send(lines.join("\n"));
      }
    }
    if (this.#spec.replies === 0) this.#isReady(client);
  }

  chunk(): void {
    this.#tally.chunk();
  }

  frames({ index }: WsClient, bytes: Uint8Array, at: number): number {
    return this.#awaited[index] === 0 ? this.#tally.frames(index, bytes, at) : at;
  }

  message(client: WsClient, bytes: Uint8Array, start: number, end: number): void {
    if (end - start === 2 && bytes[start] === OPEN_BRACE && bytes[start + 1] === CLOSE_BRACE) {
      client.send("{}");
      return;
    }
    const awaited = this.#awaited[client.index] as number;
    if (awaited > 0) this.#reply(client, awaited, bytes.subarray(start, end));
    else if (awaited === 0) this.#tally.frame(client.index, bytes, start, end);
  }

  #reply(client: WsClient, awaited: number, frame: Uint8Array): void {
    const text = Buffer.from(frame.buffer, frame.byteOffset, frame.length);
    if (text.includes(ERROR)) {
      this.#hasFailed(client, text.toString());
      client.terminate();
      return;
    }
    let left = awaited - 1;
    for (let at = 0; at < frame.length - 1; at++) if (frame[at] === NEWLINE) left--;
    this.#awaited[client.index] = Math.max(0, left);
    if (left <= 0) this.#isReady(client);
  }

  #isReady({ index }: WsClient): void {
    this.#ready += 1;
    this.#opened.add(epochUs() - (this.#startedUs[index] ?? 0));
    this.#startNext();
    this.#tellWhenReady();
  }

  closed(client: WsClient, code: number): void {
    const awaited = this.#awaited[client.index] as number;
    this.#awaited[client.index] = -1;
    if (awaited === 0) this.#closeCodes.push(code);
    else if (awaited > 0) this.#hasFailed(client, `closed with ${code}`);
  }

  #hasFailed({ index }: WsClient, refusal: string): void {
    this.#awaited[index] = -1;
    this.#failed += 1;
    this.#refusal ??= refusal;
    this.#startNext();
    this.#tellWhenReady();
  }

  #tellWhenReady(): void {
    const { connections } = this.#spec;
    if (this.#ready + this.#failed !== connections) return;
    const seconds = (performance.now() - this.#startMs) / 1000;
    const ready: Ready = {
      ready: this.#ready,
      failed: this.#failed,
      seconds,
      cpu: cpuSince(this.#startCpu) / seconds,
      loopLateMs: this.#lateness.report(),
      openedUs: this.#opened.report(),
      ...(this.#refusal === undefined ? {} : { refusal: this.#refusal }),
    };
    writeLine(ready);
  }

  measure(): void {
    recalibrate();
    this.#tally.restart();
    this.#lateness.restart();
    this.#measuredMs = performance.now();
    this.#measuredCpu = process.cpuUsage();
    writeLine({ measuring: true });
  }

  report(): void {
    const seconds = (performance.now() - this.#measuredMs) / 1000;
    const report: SubscribersReport = {
      ...this.#tally.report(),
      seconds,
      cpu: cpuSince(this.#measuredCpu) / seconds,
      loopLateMs: this.#lateness.report(),
      closed: this.#closeCodes.length,
      closeCodes: [...new Set(this.#closeCodes)],
    };
    writeLine(report);
  }

  count(): void {
    writeLine({ messages: this.#tally.messages });
  }

  close(): void {
    for (const client of this.#clients) client.terminate();
  }
}

/** Seconds of processor time. */
function cpuSince(before: NodeJS.CpuUsage): number {
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1e6;
}

/** Serves what is written to the standard input, until that ends. */
export async function runSubscribers(): Promise<never> {
  let subscribers: Subscribers | undefined;
  await readLines(Bun.stdin.stream(), (line) => {
    if (subscribers === undefined) subscribers = new Subscribers(line as SubscribersSpec);
    else if (line === "measure") subscribers.measure();
    else if (line === "report") subscribers.report();
    else if (line === "count") subscribers.count();
    else if (line === "close") subscribers.close();
    else fail(`Unknown command ${JSON.stringify(line)}`);
  });
  process.exit(0);
}

/**
 * A load process: publishes over HTTP, as fast as it is answered or on a fixed schedule. Each message carries a number
 * (see `tally.ts`) and the time at which it was due. Its input lines are `PublishersSpec`s, run one after the other.
 */
import type { Address } from "./address.ts";
import { epochUs, recalibrate } from "./clock.ts";
import { HttpLane, type LaneEvents } from "./http-lane.ts";
import { fail, readLines, writeLine } from "./lines.ts";
import { Lateness } from "./lateness.ts";
import { LANE_FIRST } from "./tally.ts";
import { Times } from "./times.ts";

export interface PublishersSpec extends Address {
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  /** `@nnnnnnnnnn` becomes the number, `@ttttttttttttttt` the time, `@cccccc` a channel's number: the same widths. */
  readonly body: string;
  /** `@cccccc` is one of this many, by chance. */
  readonly channels?: number;
  /** Requests in flight at the most. */
  readonly lanes: number;
  /** Requests per second; absent: as many as are answered. */
  readonly perSecond?: number;
  /** So many of the schedule leave at one moment. Default 1. */
  readonly together?: number;
  /** The number of the first lane, where several processes publish. Default 0. */
  readonly firstLane?: number;
  readonly seconds: number;
}

export interface PublishersReport {
  readonly requests: number;
  readonly publications: number;
  readonly errors: number;
  readonly firstError?: string;
  readonly seconds: number;
  readonly cpu: number;
  /** Its event loop, in 99 of 100 looks. */
  readonly loopLateMs: number;
  /** From a request to its answer, thinned. */
  readonly answersUs: readonly number[];
  /** How late requests left, when there was a schedule: the generator's own share of the latency. */
  readonly lateUs?: { readonly p50: number; readonly p99: number; readonly max: number };
}

/** Beyond it the first ones speak for the others. */
const ANSWERS_MAX = 1_000_000;
const HOLE_NUMBER = "@nnnnnnnnnn";
const HOLE_TIME = "@ttttttttttttttt";
const HOLE_CHANNEL = "@cccccc";
const LANE_NUMBERS = 100_000_000;
/** Timers are this unpunctual: the rest is waited for in a loop. */
const TIMER_SLACK_MS = 1.5;

/** A request whose holes are filled in place. */
class Template {
  readonly bytes: Buffer;
  readonly #numbers: readonly number[];
  readonly #times: readonly number[];
  readonly #channels: readonly number[];

  constructor(head: string, body: string) {
    this.bytes = Buffer.from(head + body);
    this.#numbers = placesOf(this.bytes, HOLE_NUMBER);
    this.#times = placesOf(this.bytes, HOLE_TIME);
    this.#channels = placesOf(this.bytes, HOLE_CHANNEL);
  }

  /** Messages in one request. */
  get messages(): number {
    return Math.max(1, this.#numbers.length);
  }

  fill(lane: number, first: number, dueUs: number, channels: number): Buffer {
    for (const [index, at] of this.#numbers.entries()) {
      const number = (LANE_FIRST + lane) * LANE_NUMBERS + first + index;
      writeDigits(this.bytes, at, HOLE_NUMBER.length, number);
    }
    for (const at of this.#times) writeDigits(this.bytes, at, HOLE_TIME.length, dueUs);
    for (const at of this.#channels) {
      const channel = Math.floor(Math.random() * channels);
      writeDigits(this.bytes, at, HOLE_CHANNEL.length, channel);
    }
    return this.bytes;
  }
}

/** What is kept from one spec to the next. */
interface PublishingProcess {
  /** Where each lane's numbers stand. */
  readonly sent: Map<number, number>;
  readonly lateness: Lateness;
}

class Publishers implements LaneEvents {
  readonly #spec: PublishersSpec;
  readonly #template: Template;
  readonly #lanes: HttpLane[] = [];
  readonly #idle: HttpLane[] = [];
  readonly #dueUs: number[] = [];
  readonly #latesUs: number[] = [];
  /** Of each lane, when its request left; 0: none is under way. */
  readonly #sentUs: Float64Array;
  readonly #answers = new Times(ANSWERS_MAX);
  readonly #process: PublishingProcess;
  #connected = 0;
  #inFlight = 0;
  #stopped = false;
  #ended = false;
  #startMs = 0;
  #startCpu = process.cpuUsage();
  #requests = 0;
  #errors = 0;
  #firstError: string | undefined;

  constructor(spec: PublishersSpec, process: PublishingProcess) {
    this.#spec = spec;
    this.#process = process;
    const headers = { ...spec.headers, Host: `${spec.host}:${spec.port}` };
    const head = Object.entries({ ...headers, "Content-Length": Buffer.byteLength(spec.body) })
      .map(([name, value]) => `${name}: ${value}\r\n`)
      .join("");
    this.#template = new Template(`POST ${spec.path} HTTP/1.1\r\n${head}\r\n`, spec.body);
    const first = spec.firstLane ?? 0;
    const end = first + spec.lanes;
    this.#sentUs = new Float64Array(end);
    for (let lane = first; lane < end; lane++) this.#lanes.push(new HttpLane(lane, spec, this));
    for (const lane of this.#lanes) lane.connect();
  }

  connected(lane: HttpLane): void {
    if (this.#startMs > 0) return this.#stopped ? undefined : this.#next(lane, epochUs());
    if (++this.#connected < this.#lanes.length) return;
    this.#startMs = performance.now();
    this.#startCpu = process.cpuUsage();
    this.#process.lateness.restart();
    setTimeout(() => this.#stop(), this.#spec.seconds * 1000);
    if (this.#spec.perSecond === undefined) {
      for (const lane of this.#lanes) this.#send(lane, epochUs());
    } else {
      this.#idle.push(...this.#lanes);
      this.#schedule(this.#spec.perSecond, epochUs(), 1);
    }
  }

  /** Request `index` is due at its place in the schedule, whatever became of those before. */
  #schedule(perSecond: number, startUs: number, index: number): void {
    if (this.#stopped) return;
    const { together = 1 } = this.#spec;
    const place = Math.ceil(index / together) * together;
    const dueUs = startUs + Math.round((place * 1e6) / perSecond);
    const leftMs = (dueUs - epochUs()) / 1000;
    if (leftMs > TIMER_SLACK_MS) {
      setTimeout(() => this.#schedule(perSecond, startUs, index), leftMs - TIMER_SLACK_MS);
      return;
    }
    if (leftMs > 0) {
      setImmediate(() => this.#schedule(perSecond, startUs, index));
      return;
    }
    const lane = this.#idle.pop();
    if (lane === undefined) this.#dueUs.push(dueUs);
    else this.#send(lane, dueUs);
    this.#schedule(perSecond, startUs, index + 1);
  }

  #send(lane: HttpLane, dueUs: number): void {
    const { sent } = this.#process;
    const number = sent.get(lane.number) ?? 0;
    const { messages } = this.#template;
    sent.set(lane.number, number + messages);
    lane.send(this.#template.fill(lane.number, number + 1, dueUs, this.#spec.channels ?? 0));
    const sentUs = this.#spec.perSecond === undefined ? dueUs : epochUs();
    this.#sentUs[lane.number] = sentUs;
    if (this.#spec.perSecond !== undefined) this.#latesUs.push(sentUs - dueUs);
    this.#inFlight += 1;
  }

  answered(lane: HttpLane, ok: boolean, answer: Buffer): void {
    const nowUs = epochUs();
    this.#answers.add(nowUs - (this.#sentUs[lane.number] ?? nowUs));
    this.#settled(lane, ok ? undefined : answer.toString());
    if (!this.#stopped) this.#next(lane, nowUs);
  }

  #settled({ number }: HttpLane, error: string | undefined): void {
    this.#sentUs[number] = 0;
    this.#inFlight -= 1;
    this.#requests += 1;
    if (error !== undefined) {
      this.#errors += 1;
      this.#firstError ??= error;
    }
    if (this.#stopped && this.#inFlight === 0) this.#end();
  }

  #next(lane: HttpLane, nowUs: number): void {
    if (this.#spec.perSecond === undefined) return this.#send(lane, nowUs);
    const dueUs = this.#dueUs.shift();
    if (dueUs === undefined) this.#idle.push(lane);
    else this.#send(lane, dueUs);
  }

  lost(lane: HttpLane): void {
    if (this.#ended) return;
    const index = this.#idle.indexOf(lane);
    if (index >= 0) this.#idle.splice(index, 1);
    if (this.#sentUs[lane.number] !== 0) this.#settled(lane, "the connection was lost");
    if (!this.#stopped) lane.connect();
  }

  refused(): void {
    const { host, port } = this.#spec;
    if (!this.#ended) fail(`${host}:${port} takes no HTTP connections`);
  }

  #stop(): void {
    this.#stopped = true;
    if (this.#inFlight === 0) this.#end();
  }

  #end(): void {
    this.#ended = true;
    const seconds = (performance.now() - this.#startMs) / 1000;
    const { user, system } = process.cpuUsage(this.#startCpu);
    for (const lane of this.#lanes) lane.end();
    const lates = this.#latesUs.sort((a, b) => a - b);
    const late = (part: number): number => lates[Math.floor((lates.length - 1) * part)] ?? 0;
    writeLine({
      requests: this.#requests,
      publications: (this.#requests - this.#errors) * this.#template.messages,
      errors: this.#errors,
      ...(this.#firstError === undefined ? {} : { firstError: this.#firstError }),
      seconds,
      cpu: (user + system) / 1e6 / seconds,
      loopLateMs: this.#process.lateness.report(),
      answersUs: this.#answers.report(),
      ...(lates.length === 0 ? {} : { lateUs: { p50: late(0.5), p99: late(0.99), max: late(1) } }),
    } satisfies PublishersReport);
  }
}

function placesOf(bytes: Buffer, hole: string): number[] {
  const places: number[] = [];
  for (let at = bytes.indexOf(hole); at >= 0; at = bytes.indexOf(hole, at + 1)) places.push(at);
  return places;
}

function writeDigits(bytes: Buffer, at: number, count: number, value: number): void {
  let rest = value;
  for (let place = at + count - 1; place >= at; place--) {
    bytes[place] = 0x30 + (rest % 10);
    rest = Math.floor(rest / 10);
  }
}

/** Serves what is written to the standard input, until that ends. */
export async function runPublishers(): Promise<never> {
  const own: PublishingProcess = { sent: new Map(), lateness: new Lateness() };
  await readLines(Bun.stdin.stream(), (line) => {
    recalibrate();
    new Publishers(line as PublishersSpec, own);
  });
  process.exit(0);
}

/**
 * Counts what subscribers receive: every message, its place in the order, and the age of a sample of them.
 * The number in a message, `"n":` and eleven digits, is its publisher's lane (three digits) and the count within the
 * lane (eight). One lane publishes one after the other, so each subscriber must see each lane without gap or step back;
 * and all must see all lanes interleaved alike, which a running hash tells.
 */
import { epochUs } from "./clock.ts";
import { quantile, thinned, Times } from "./times.ts";

export const LANE_FIRST = 100;
export const LANES_MAX = 100;
const NUMBER = Buffer.from('"n":');
const TIME = Buffer.from('"t":');
/** Where the payload is text within JSON, which has no quotes of its own. */
const PLAIN_NUMBER = Buffer.from("n=");
const PLAIN_TIME = Buffer.from("t=");
const DIGIT_ZERO = 0x30;
const NEWLINE = 0x0a;
const COMMA = 0x2c;
const QUOTE = 0x22;
const LETTER_A = 0x61;
const OPEN_BRACKET = 0x5b;
const SAMPLES_MAX = 4_000_000;

export interface TallyOptions {
  readonly subscribers: number;
  /** Age is taken of one message in this many. */
  readonly sampleEvery: number;
  /** The order is checked at every so many-th subscriber; at the others messages are counted. Default: at each. */
  readonly checkEvery?: number;
  /** All see the same channel: each lane's numbers must be complete. Otherwise only steps back are counted. */
  readonly complete: boolean;
}

export interface TallyReport {
  /** Those with a number, if any has one. */
  readonly messages: number;
  readonly numbered: number;
  readonly bytes: number;
  /** Messages without a number: their order cannot be told. */
  readonly unnumbered: number;
  readonly missing: number;
  readonly misordered: number;
  /** Subscribers whose interleaving of the lanes is not the first one's. */
  readonly otherOrders: number;
  readonly fewest: number;
  readonly most: number;
  /** From the first message to the last. */
  readonly activeSeconds: number;
  readonly latencyUs?: {
    readonly p50: number;
    readonly p99: number;
    readonly p999: number;
    readonly max: number;
    readonly samples: number;
    readonly thinned: readonly number[];
  };
}

export class Tally {
  readonly #options: TallyOptions;
  /** Of each subscriber and lane, the last number. */
  readonly #last: Int32Array;
  readonly #hashes: Int32Array;
  readonly #received: Uint32Array;
  readonly #ages = new Times(SAMPLES_MAX);
  #untilSample = 1;
  #messages = 0;
  #bytes = 0;
  #unnumbered = 0;
  #missing = 0;
  #misordered = 0;
  /** The length of the messages of this run and where the number's and the time's digits stand in them. */
  #length = -1;
  #numberAt = -1;
  #timeAt = -1;
  #chunkUs = 0;
  #firstUs = 0;
  #lastUs = 0;

  constructor(options: TallyOptions) {
    this.#options = options;
    this.#last = new Int32Array(options.subscribers * LANES_MAX);
    this.#hashes = new Int32Array(options.subscribers);
    this.#received = new Uint32Array(options.subscribers);
  }

  /** With a number, if any has one. */
  get messages(): number {
    return this.#messages - (this.#unnumbered < this.#messages ? this.#unnumbered : 0);
  }

  /** Messages from here on arrived now. */
  chunk(): void {
    this.#chunkUs = epochUs();
    if (this.#messages === 0) this.#firstUs = this.#chunkUs;
  }

  /**
   * Takes whole frames from `at` on for as long as they look like the one before, and returns where it stopped. Nearly
   * all messages come this way: one loop without a call per frame is what lets JavaScript keep up.
   */
  frames(subscriber: number, bytes: Uint8Array, at: number): number {
    const length = this.#length;
    const header = length < 126 ? 2 : 4;
    const size = header + length;
    const first = length < 126 ? length : 126;
    const numberAt = header + this.#numberAt;
    if (this.#numberAt < 0 || length > 65_535) return at;
    if (!this.#isChecked(subscriber)) return this.#counted(subscriber, bytes, at);
    const last = this.#last;
    const row = subscriber * LANES_MAX;
    const { complete, sampleEvery } = this.#options;
    const end = bytes.length - size;
    let hash = this.#hashes[subscriber] as number;
    let untilSample = this.#untilSample;
    let next = at;
    for (; next <= end; next += size) {
      const op = (bytes[next] as number) & 15;
      if ((op !== 1 && op !== 2) || (bytes[next + 1] as number) !== first) break;
      if (
        header === 4 &&
        (((bytes[next + 2] as number) << 8) | (bytes[next + 3] as number)) !== length
      ) {
        break;
      }
      const lane = threeDigits(bytes, next + numberAt) - LANE_FIRST;
      const number = eightDigits(bytes, next + numberAt + 3);
      // Somebody else's message of the same length.
      if (lane < 0 || lane >= LANES_MAX) break;
      const before = last[row + lane] as number;
      if (number !== before + 1) this.#jump(number, before, complete);
      if (number > before) last[row + lane] = number;
      hash = Math.imul(hash ^ (Math.imul(number, LANES_MAX) + lane), 0x01000193);
      if (--untilSample === 0) {
        untilSample = sampleEvery;
        if (this.#timeAt >= 0) this.#time(bytes, next + header + this.#timeAt);
      }
    }
    const taken = (next - at) / size;
    this.#hashes[subscriber] = hash;
    this.#untilSample = untilSample;
    this.#messages += taken;
    if (taken > 0) this.#lastUs = this.#chunkUs;
    this.#bytes += taken * length;
    this.#received[subscriber] = (this.#received[subscriber] as number) + taken;
    return next;
  }

  #isChecked(subscriber: number): boolean {
    return subscriber % (this.#options.checkEvery ?? 1) === 0;
  }

  /** Frames like the one before, of which only the header is looked at. */
  #counted(subscriber: number, bytes: Uint8Array, at: number): number {
    const length = this.#length;
    const header = length < 126 ? 2 : 4;
    const [op, first] = [0x81, length < 126 ? length : 126];
    const [high, low] = [length >> 8, length & 255];
    const size = header + length;
    const end = bytes.length - size;
    let next = at;
    for (; next <= end; next += size) {
      if ((bytes[next] as number) !== op || (bytes[next + 1] as number) !== first) break;
      if (
        header === 4 &&
        ((bytes[next + 2] as number) !== high || (bytes[next + 3] as number) !== low)
      )
        break;
    }
    const taken = (next - at) / size;
    this.#messages += taken;
    if (taken > 0) this.#lastUs = this.#chunkUs;
    this.#bytes += taken * length;
    this.#received[subscriber] = (this.#received[subscriber] as number) + taken;
    return next;
  }

  #jump(number: number, before: number, complete: boolean): void {
    if (number <= before) this.#misordered += 1;
    else if (complete) this.#missing += number - before - 1;
  }

  /** A frame in `bytes[start, end)`: one message, or several on a line each, or in an array of SockJS's. */
  frame(subscriber: number, bytes: Uint8Array, start: number, end: number): void {
    if (end - start === this.#length && this.#numberAt >= 0) {
      this.#message(subscriber, bytes, start, end);
      return;
    }
    const isArray = bytes[start] === LETTER_A && bytes[start + 1] === OPEN_BRACKET;
    let from = isArray ? start + 2 : start;
    const last = isArray ? end - 1 : end;
    const separator = isArray ? COMMA : NEWLINE;
    while (from < last) {
      const to = this.#endOfMessage(bytes, from, last, separator);
      if (to - from !== this.#length || this.#numberAt < 0) this.#learn(bytes, from, to);
      if (to > from) this.#message(subscriber, bytes, from, to);
      from = to + 1;
    }
  }

  /** Nearly all are as long as the one before. */
  #endOfMessage(bytes: Uint8Array, from: number, end: number, separator: number): number {
    const expected = from + this.#length;
    if (this.#length > 0) {
      if (expected === end) return end;
      if (expected < end && isBetween(bytes, expected, separator)) return expected;
    }
    for (let at = bytes.indexOf(separator, from); at >= 0 && at < end;) {
      if (isBetween(bytes, at, separator)) return at;
      at = bytes.indexOf(separator, at + 1);
    }
    return end;
  }

  /** Messages have one length, save where a publisher changes; where the digits stand is looked up once. */
  #learn(bytes: Uint8Array, start: number, end: number): void {
    const text = Buffer.from(bytes.buffer, bytes.byteOffset + start, end - start);
    this.#length = end - start;
    this.#numberAt = behind(text, NUMBER, PLAIN_NUMBER);
    this.#timeAt = behind(text, TIME, PLAIN_TIME);
  }

  #message(subscriber: number, bytes: Uint8Array, start: number, end: number): void {
    this.#messages += 1;
    this.#lastUs = this.#chunkUs;
    this.#bytes += end - start;
    this.#received[subscriber] = (this.#received[subscriber] as number) + 1;
    if (this.#numberAt < 0) this.#unnumbered += 1;
    else if (this.#isChecked(subscriber)) this.#check(subscriber, bytes, start + this.#numberAt);
    if (--this.#untilSample === 0) {
      this.#untilSample = this.#options.sampleEvery;
      if (this.#timeAt >= 0) this.#time(bytes, start + this.#timeAt);
    }
  }

  #check(subscriber: number, bytes: Uint8Array, at: number): void {
    const lane = threeDigits(bytes, at) - LANE_FIRST;
    const number = eightDigits(bytes, at + 3);
    if (lane < 0 || lane >= LANES_MAX) {
      this.#unnumbered += 1;
      return;
    }
    const slot = subscriber * LANES_MAX + lane;
    const before = this.#last[slot] as number;
    if (number !== before + 1) this.#jump(number, before, this.#options.complete);
    if (number > before) this.#last[slot] = number;
    const hash = this.#hashes[subscriber] as number;
    this.#hashes[subscriber] = Math.imul(hash ^ (Math.imul(number, LANES_MAX) + lane), 0x01000193);
  }

  #time(bytes: Uint8Array, at: number): void {
    const sentUs = eightDigits(bytes, at) * 1e8 + eightDigits(bytes, at + 8);
    this.#ages.add(this.#chunkUs - sentUs);
  }

  /** Numbers keep their place: what is missing between two reports is found. */
  report(): TallyReport {
    const ages = this.#ages.sorted();
    const { complete } = this.#options;
    let otherOrders = 0;
    for (const [subscriber, hash] of this.#hashes.entries()) {
      if (hash !== this.#hashes[0] && this.#isChecked(subscriber)) otherOrders += 1;
    }
    return {
      messages: this.messages,
      numbered: this.#messages - this.#unnumbered,
      bytes: this.#bytes,
      unnumbered: this.#unnumbered,
      missing: this.#missing,
      misordered: this.#misordered,
      otherOrders: complete ? otherOrders : 0,
      fewest: this.#received.reduce((least, count) => Math.min(least, count), Infinity),
      most: this.#received.reduce((most, count) => Math.max(most, count), 0),
      activeSeconds: (this.#lastUs - this.#firstUs) / 1e6,
      ...(ages.length === 0
        ? {}
        : {
            latencyUs: {
              p50: quantile(ages, 0.5),
              p99: quantile(ages, 0.99),
              p999: quantile(ages, 0.999),
              max: quantile(ages, 1),
              samples: ages.length,
              thinned: thinned(ages),
            },
          }),
    };
  }

  /** Forgets what was counted, not where each lane stands. */
  restart(): void {
    this.#messages = this.#bytes = this.#unnumbered = 0;
    this.#missing = this.#misordered = 0;
    this.#ages.restart();
    this.#received.fill(0);
  }
}

/** Whether messages end and begin there: in an array they are texts, whose own quotes have a backslash. */
function isBetween(bytes: Uint8Array, at: number, separator: number): boolean {
  if (bytes[at] !== separator || separator === NEWLINE) return bytes[at] === separator;
  return bytes[at - 1] === QUOTE && bytes[at + 1] === QUOTE;
}

/** Where the first marker that is there ends, or -1. */
function behind(text: Buffer, ...markers: readonly Buffer[]): number {
  for (const marker of markers) {
    const at = text.indexOf(marker);
    if (at >= 0) return at + marker.length;
  }
  return -1;
}

function threeDigits(bytes: Uint8Array, at: number): number {
  return (
    (bytes[at] as number) * 100 +
    (bytes[at + 1] as number) * 10 +
    (bytes[at + 2] as number) -
    111 * DIGIT_ZERO
  );
}

function eightDigits(bytes: Uint8Array, at: number): number {
  return (
    (bytes[at] as number) * 10_000_000 +
    (bytes[at + 1] as number) * 1_000_000 +
    (bytes[at + 2] as number) * 100_000 +
    (bytes[at + 3] as number) * 10_000 +
    (bytes[at + 4] as number) * 1_000 +
    (bytes[at + 5] as number) * 100 +
    (bytes[at + 6] as number) * 10 +
    (bytes[at + 7] as number) -
    11_111_111 * DIGIT_ZERO
  );
}

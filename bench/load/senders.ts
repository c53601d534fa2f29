/**
 * A load process: connections that each send to a channel of their own, one message after the other, each when the one before was
 * acknowledged. Its input line is a `SendersSpec`, its answers that it measures, and a `SendersReport`.
 */
import { fail, readLines, writeLine } from "../../src/bench/load/lines.ts";
import { type FrameSink, WsClient } from "../../src/bench/load/ws-client.ts";

export interface SendersSpec {
  readonly host: string;
  readonly port: number;
  /** `%s` is the connection's entry of `texts`, here and in `init` and `message`. */
  readonly path: string;
  readonly texts: readonly string[];
  readonly init: readonly string[];
  /** Where it stands, the channel's name follows, up to a quote: `%c` in `message`. */
  readonly channelAfter?: string;
  /** The first is sent once this was received. */
  readonly begin: string;
  readonly message: string;
  readonly ack: string;
  readonly refused: string;
  readonly warmUpSeconds: number;
  readonly seconds: number;
}

export interface SendersReport {
  readonly acknowledged: number;
  readonly seconds: number;
  /** Share of one core. */
  readonly cpu: number;
}

class Senders implements FrameSink {
  readonly #spec: SendersSpec;
  /** What each sends, once it may. */
  readonly #messages: string[] = [];
  #acknowledged = 0;

  constructor(spec: SendersSpec) {
    this.#spec = spec;
    for (const [index, text] of spec.texts.entries()) {
      const path = spec.path.replaceAll("%s", text);
      new WsClient(index, { host: spec.host, port: spec.port, path }, this).connect();
    }
    setTimeout(() => this.#measure(), spec.warmUpSeconds * 1000);
  }

  opened(client: WsClient): void {
    for (const frame of this.#spec.init) {
      const text = this.#spec.texts[client.index] ?? "";
      client.send(frame.replaceAll("%d", `${client.index}`).replaceAll("%s", text));
    }
  }

  chunk(): void {}

  frames(_: WsClient, __: Uint8Array, at: number): number {
    return at;
  }

  message(client: WsClient, bytes: Uint8Array, start: number, end: number): void {
    const text = Buffer.from(bytes.buffer, bytes.byteOffset + start, end - start);
    const { refused, begin, ack } = this.#spec;
    if (text.includes(refused)) fail(`A message was refused: ${text.toString()}`);
    const message = this.#messages[client.index];
    if (message !== undefined) {
      if (!text.includes(ack)) return;
      this.#acknowledged += 1;
      client.send(message);
    } else if (text.includes(begin)) {
      const first = this.#messageOf(client.index, text.toString());
      this.#messages[client.index] = first;
      client.send(first);
    }
  }

  #messageOf(index: number, answer: string): string {
    const { channelAfter = "", message } = this.#spec;
    const from = answer.indexOf(channelAfter) + channelAfter.length;
    const channel = answer.slice(from, answer.indexOf('"', from));
    return message.replaceAll("%c", channel).replaceAll("%d", `${index}`);
  }

  closed(_: WsClient, code: number): void {
    fail(`The server ended a connection with ${code}`);
  }

  #measure(): void {
    writeLine({ measuring: true });
    const [before, startMs, startCpu] = [this.#acknowledged, performance.now(), process.cpuUsage()];
    setTimeout(() => {
      const { user, system } = process.cpuUsage(startCpu);
      const seconds = (performance.now() - startMs) / 1000;
      const acknowledged = this.#acknowledged - before;
      const cpu = (user + system) / 1e6 / seconds;
      writeLine({ acknowledged, seconds, cpu } satisfies SendersReport);
    }, this.#spec.seconds * 1000);
  }
}

await readLines(Bun.stdin.stream(), (line) => void new Senders(line as SendersSpec));
process.exit(0);

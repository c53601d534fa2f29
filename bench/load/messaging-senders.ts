/**
 * A load process: connections that each create a channel of their own and send to it, one message after the other, each when the one
 * before was acknowledged. Its input line is a `MessagingSendersSpec`, its answer a `MessagingSendersReport`.
 */
import { fail, readLines, writeLine } from "../../src/bench/load/lines.ts";
import { type FrameSink, WsClient } from "../../src/bench/load/ws-client.ts";

export interface MessagingSendersSpec {
  readonly host: string;
  readonly port: number;
  /** `%s` is the connection's entry of `texts`. */
  readonly path: string;
  readonly texts: readonly string[];
  readonly contentBytes: number;
  readonly warmUpSeconds: number;
  readonly seconds: number;
}

export interface MessagingSendersReport {
  readonly stored: number;
  readonly seconds: number;
  /** Share of one core. */
  readonly cpu: number;
}

const ACK = Buffer.from('{"type":"ack"');
const REFUSED = Buffer.from('"status":false');

class Senders implements FrameSink {
  readonly #spec: MessagingSendersSpec;
  /** What each sends, once its channel is there. */
  readonly #messages: string[] = [];
  #stored = 0;

  constructor(spec: MessagingSendersSpec) {
    this.#spec = spec;
    for (const [index, text] of spec.texts.entries()) {
      const path = spec.path.replaceAll("%s", text);
      new WsClient(index, { host: spec.host, port: spec.port, path }, this).connect();
    }
    setTimeout(() => this.#measure(), spec.warmUpSeconds * 1000);
  }

  opened(client: WsClient): void {
    client.send('{"type":"create-channel"}');
  }

  chunk(): void {}

  frames(_: WsClient, __: Uint8Array, at: number): number {
    return at;
  }

  message(client: WsClient, bytes: Uint8Array, start: number, end: number): void {
    const text = Buffer.from(bytes.buffer, bytes.byteOffset + start, end - start);
    if (text.includes(REFUSED)) fail(`A message was refused: ${text.toString()}`);
    if (text.subarray(0, ACK.length).equals(ACK)) {
      this.#stored += 1;
      client.send(this.#messages[client.index] ?? "");
    } else this.#messages[client.index] ??= this.#messageTo(text.toString());
  }

  #messageTo(invitation: string): string {
    const { "channel-id": channel } = JSON.parse(invitation) as Record<string, string>;
    const content = "x".repeat(this.#spec.contentBytes);
    return JSON.stringify({ type: "channel-message", "channel-id": channel, content });
  }

  closed(_: WsClient, code: number): void {
    fail(`The server ended a connection with ${code}`);
  }

  #measure(): void {
    writeLine({ measuring: true });
    const [before, startMs, startCpu] = [this.#stored, performance.now(), process.cpuUsage()];
    setTimeout(() => {
      const { user, system } = process.cpuUsage(startCpu);
      const seconds = (performance.now() - startMs) / 1000;
      const cpu = (user + system) / 1e6 / seconds;
      writeLine({ stored: this.#stored - before, seconds, cpu } satisfies MessagingSendersReport);
    }, this.#spec.seconds * 1000);
  }
}

await readLines(Bun.stdin.stream(), (line) => void new Senders(line as MessagingSendersSpec));
process.exit(0);

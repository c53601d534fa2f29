/**
 * Numbers on the messages that this node sends to each topic, so that whoever listens there sees that one is missing, also
 * where publications take no offset. Refused and failed publishes leave holes in the numbers; what counts is `confirmed`.
 */
import type { Random } from "../../core/runtime.ts";
import type { Sequence } from "./broker-messages.ts";

/** Topics whose numbers are remembered. One that is forgotten begins anew under another sender: a loss just before is not seen. */
export const SEQUENCES_MAX = 100_000;

interface Run {
  readonly sender: string;
  sent: number;
  confirmed: number;
}

export class Sequences {
  readonly #node: string;
  /** By topic, the one used longest ago first. */
  readonly #runs = new Map<string, Run>();
  #started = 0;

  constructor(random: Random) {
    this.#node = random.uuid().slice(0, 13);
  }

  /** For the next message to the topic. */
  next(topic: string): Sequence {
    let run = this.#runs.get(topic);
    if (run === undefined) {
      run = { sender: `${this.#node}.${(this.#started += 1)}`, sent: 0, confirmed: 0 };
      if (this.#runs.size >= SEQUENCES_MAX) {
        const [oldest = ""] = this.#runs.keys();
        this.#runs.delete(oldest);
      }
    } else this.#runs.delete(topic);
    this.#runs.set(topic, run);
    return { sender: run.sender, number: (run.sent += 1), confirmed: run.confirmed };
  }

  /** The server has answered that it is on the bus. */
  confirm(topic: string, { sender, number }: Sequence): void {
    const run = this.#runs.get(topic);
    if (run?.sender === sender) run.confirmed = Math.max(run.confirmed, number);
  }
}

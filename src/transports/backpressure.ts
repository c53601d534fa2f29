/**
 * What waits for one socket that is out of its native groups: because its session holds it, because its peer reads
 * too slowly, or both. Most sockets never have one of these.
 */
import type { Frame } from "../core/types.ts";

interface Held {
  /** Undefined: of no group. */
  readonly group: string | undefined;
  readonly frame: Frame;
  readonly bytes: number;
}

export class Waiting {
  /** The groups that the socket has joined, while no native topic knows of it. */
  readonly groups: Set<string>;
  /** Calls of `hold` without their `release`. */
  holds = 0;
  /** Everything goes through `push`: what the peer did not take comes first. */
  lagging = false;
  /** `over`: the bound was passed, all further frames are dropped; `ending`: the session says its last words. */
  phase: "within" | "over" | "ending" = "within";

  #out: Frame[] = [];
  #outNext = 0;
  #held: Held[] = [];
  #bytes = 0;

  constructor(groups: readonly string[]) {
    this.groups = new Set(groups);
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** Behind everything that waits for the peer. */
  push(frame: Frame, bytes: number): void {
    this.#out.push(frame);
    this.#bytes += bytes;
  }

  /** Behind what waits for `release`. */
  pushHeld(group: string | undefined, frame: Frame, bytes: number): void {
    this.#held.push({ group, frame, bytes });
    this.#bytes += bytes;
  }

  /** The frame that `shift` would take. */
  get first(): Frame | undefined {
    return this.#out[this.#outNext];
  }

  shift(): Frame | undefined {
    const frame = this.#out[this.#outNext];
    if (frame === undefined) return undefined;
    this.#outNext += 1;
    this.#bytes -= frameBytes(frame);
    if (this.#outNext === this.#out.length) {
      this.#out = [];
      this.#outNext = 0;
    }
    return frame;
  }

  takeHeld(): readonly Held[] {
    const held = this.#held;
    this.#held = [];
    for (const { bytes } of held) this.#bytes -= bytes;
    return held;
  }

  /** Nothing of a group may follow the answer to leaving it, and answers pass what is held. */
  dropHeld(group: string): void {
    const kept = this.#held.filter((held) => held.group !== group);
    if (kept.length === this.#held.length) return;
    for (const held of this.#held) if (held.group === group) this.#bytes -= held.bytes;
    this.#held = kept;
  }
}

export function frameBytes(frame: Frame): number {
  return typeof frame === "string" ? Buffer.byteLength(frame) : frame.byteLength;
}

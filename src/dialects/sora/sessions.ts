/** The sessions of one app and node, those in their handshake too: their number, how they are carried, and when the last one is over. */

/** `hybrid`: pushes by DataChannel, while the WebSocket is there as well. */
export const CARRIERS = ["handshake", "websocket", "hybrid", "datachannel"] as const;
export type Carrier = (typeof CARRIERS)[number];

interface Carried {
  readonly carrier: Carrier;
}

export class Sessions {
  readonly #sessions = new Set<Carried>();
  #emptied: (() => void) | undefined;

  get size(): number {
    return this.#sessions.size;
  }

  add(session: Carried): void {
    this.#sessions.add(session);
  }

  delete(session: Carried): void {
    this.#sessions.delete(session);
    if (this.size === 0) this.#emptied?.();
  }

  count(carrier: Carrier): number {
    let count = 0;
    for (const session of this.#sessions) if (session.carrier === carrier) count += 1;
    return count;
  }

  /** Resolves once there is no session. */
  emptied(): Promise<void> {
    if (this.size === 0) return Promise.resolve();
    return new Promise((resolve) => (this.#emptied = resolve));
  }
}

/** The sessions of one app and node, those in their handshake too: their number, and when the last one is over. */

export class Sessions {
  readonly #sessions = new Set<object>();
  #emptied: (() => void) | undefined;

  get size(): number {
    return this.#sessions.size;
  }

  add(session: object): void {
    this.#sessions.add(session);
  }

  delete(session: object): void {
    this.#sessions.delete(session);
    if (this.size === 0) this.#emptied?.();
  }

  /** Resolves once there is none. */
  emptied(): Promise<void> {
    if (this.size === 0) return Promise.resolve();
    return new Promise((resolve) => (this.#emptied = resolve));
  }
}

/** Closed connections that still owe the engine writes: a stop of the server waits for them. */
import type { Connection } from "../../core/hub.ts";
import type { Chat } from "./chat/contract.ts";
import type { OpenConnection, Presence } from "./presence.ts";

export interface Departure {
  readonly connection: Connection;
  readonly open: OpenConnection;
  /** Up to where messages of its channels were written. */
  readonly positions: ReadonlyMap<string, number>;
  /** Settles when its beginning is over: an entry that is only being made cannot be taken back. */
  readonly opening: Promise<void> | undefined;
}

export class Departures {
  readonly #chat: Pick<Chat, "receipts">;
  readonly #presence: Presence;
  readonly #leaving = new Set<Promise<unknown>>();
  #stopping = false;

  constructor(chat: Pick<Chat, "receipts">, presence: Presence) {
    this.#chat = chat;
    this.#presence = presence;
  }

  /** Leaves the hub at once. */
  async follow({ connection, open, positions, opening }: Departure): Promise<void> {
    const leaving = Promise.all([
      connection.close(),
      this.#keep(open.subscriber, positions),
      this.#withdraw(open, opening),
    ]);
    this.#leaving.add(leaving);
    try {
      await leaving;
    } finally {
      this.#leaving.delete(leaving);
    }
  }

  async #keep(subscriber: string, positions: ReadonlyMap<string, number>): Promise<void> {
    if (positions.size === 0) return;
    await this.#chat.receipts.deliveredInChannels(subscriber, positions);
  }

  async #withdraw(open: OpenConnection, opening: Promise<void> | undefined): Promise<void> {
    await opening;
    await this.#presence.leave(open, { linger: !this.#stopping });
  }

  /** Nothing lingers from here on. */
  stopping(): void {
    this.#stopping = true;
  }

  async settle(): Promise<void> {
    await Promise.allSettled(this.#leaving);
  }
}

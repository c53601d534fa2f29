/** What the server keeps for a pane's client that does not read; and enough for it that the server's bound is met. */
import { signal } from "@preact/signals";
import { callOf } from "./calls.ts";
import { parse } from "./positions.ts";
import { callApi } from "./server.ts";

export interface BacklogOwner {
  readonly app: string;
  readonly dialect: string;
  readonly user: string;
}

interface Row {
  readonly connection: string;
  readonly unsent_bytes: number;
}

const LOOK_MS = 500;
/** Of one message: what the playground's calls can carry. */
const MESSAGE_BYTES = 50_000;
/** The systems at both ends take megabytes before anything waits on the server. */
const FILL_MESSAGES_MAX = 1_280;
/** Messages between two looks whether the server has had enough. */
const AT_ONCE = 8;

export class Backlog {
  /** Of all connections that its user has by its protocol. */
  readonly unsentBytes = signal(0);
  readonly isFilling = signal(false);
  readonly #owner: BacklogOwner;
  #timer = 0;

  constructor(owner: BacklogOwner) {
    this.#owner = owner;
  }

  watch(): void {
    clearTimeout(this.#timer);
    const look = async (): Promise<void> => {
      await this.#rows();
      if (this.#timer === timer) this.watch();
    };
    const timer = window.setTimeout(() => void look(), LOOK_MS);
    this.#timer = timer;
  }

  leave(): void {
    clearTimeout(this.#timer);
    this.#timer = 0;
    this.unsentBytes.value = 0;
  }

  /** `id` of its connection. Resolves with whether the server has given its connection up. */
  async fill(id: string): Promise<boolean> {
    this.isFilling.value = true;
    try {
      const before = new Set((await this.#rows()).map(({ connection }) => connection));
      for (let sent = 0; sent < FILL_MESSAGES_MAX && this.#timer > 0; sent += AT_ONCE) {
        const messages = Array.from({ length: AT_ONCE }, (_, at) =>
          this.#message(id, sent + at + 1),
        );
        const answers = await Promise.all(messages.map(callApi));
        const refused = answers.find(({ status }) => status !== 200);
        if (refused !== undefined) throw new Error(refused.body);
        const rows = await this.#rows();
        if (!rows.some(({ connection }) => before.has(connection))) return true;
      }
      return false;
    } finally {
      this.isFilling.value = false;
    }
  }

  #message(id: string, count: number) {
    const text = `Filling up, ${count}`;
    const data = JSON.stringify({ from: "backend", text, padding: "x".repeat(MESSAGE_BYTES) });
    return callOf({ app: this.#owner.app, data, kind: "connection", target: id, channel: "" });
  }

  async #rows(): Promise<readonly Row[]> {
    const { app, dialect, user } = this.#owner;
    const query = new URLSearchParams({ app, dialect, user });
    const path = `/admin/api/connections?${query}`;
    const { body } = await callApi({ method: "GET", path, headers: {}, body: "" });
    const { data = [] } = (parse(body) ?? {}) as { readonly data?: readonly Row[] };
    this.unsentBytes.value = data.reduce((sum, { unsent_bytes }) => sum + unsent_bytes, 0);
    return data;
  }
}

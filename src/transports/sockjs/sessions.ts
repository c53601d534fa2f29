/** The sessions that HTTP requests carry, by their clients' ids, and how many there may be (sockjs.md §14). */
import type { OpenSession } from "../socket.ts";
import type { Service } from "./service.ts";
import type { SockJsSession } from "./session.ts";

/** Sessions of one holder in a process, also those that are being closed: each may keep what its client did not fetch. */
export const SESSIONS_PER_HOLDER_MAX = 100;
/** Sessions in a process whose first poll was answered and that no second request has come for: opening one costs a client nothing. */
export const NEW_SESSIONS_MAX = 4_096;

export type TooMany = "of_holder" | "new";

export class Sessions {
  readonly #all = new Map<string, SockJsSession>();
  readonly #byHolder = new Map<string, number>();
  readonly #new = new Set<string>();

  get size(): number {
    return this.#all.size;
  }

  /** Sessions are a service's and an app's: elsewhere the same id is another one. */
  static key(service: Service, app: string | undefined, id: string): string {
    return `${service.base} ${app ?? ""} ${id}`;
  }

  find(key: string): SockJsSession | undefined {
    return this.#all.get(key);
  }

  /** Why there may not be one more. */
  refuses(holder: string | undefined): TooMany | undefined {
    if (this.#new.size >= NEW_SESSIONS_MAX) return "new";
    if (holder === undefined) return undefined;
    return (this.#byHolder.get(holder) ?? 0) >= SESSIONS_PER_HOLDER_MAX ? "of_holder" : undefined;
  }

  add(key: string, holder: string | undefined, session: SockJsSession): void {
    this.#all.set(key, session);
    this.#new.add(key);
    if (holder !== undefined) this.#byHolder.set(holder, (this.#byHolder.get(holder) ?? 0) + 1);
  }

  /** Its client is there: it streams, or came again. */
  met(key: string): void {
    this.#new.delete(key);
  }

  delete(key: string, holder: string | undefined): void {
    if (!this.#all.delete(key)) return;
    this.#new.delete(key);
    if (holder === undefined) return;
    const left = (this.#byHolder.get(holder) ?? 1) - 1;
    if (left === 0) this.#byHolder.delete(holder);
    else this.#byHolder.set(holder, left);
  }
}

/** Two apps may know one name. */
export function holderOf({ holder }: OpenSession, app: string | undefined): string | undefined {
  return holder === undefined ? undefined : `${app ?? ""} ${holder}`;
}

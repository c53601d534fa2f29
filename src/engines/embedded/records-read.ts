/**
 * What was read of an app's records lately, and which there were not: what every message asks for is not asked of the file each time. All
 * writes of the file are this process's, and whoever makes one says so here.
 */
import type { StoredRecord } from "../../core/engine.ts";
import type { KeptRecord } from "./store.ts";

/** Characters of keys and values, of which twice as many may be kept. */
export const READ_CHARACTERS_MAX = 524_288;
/** What an entry takes besides, about, in characters. */
const ENTRY_CHARACTERS = 100;

interface Read {
  /** Undefined: there was none. */
  readonly record: KeptRecord | undefined;
}

export class RecordsRead {
  /** Those of before are forgotten once these are too many; what is asked for until then stays. */
  #recent = new Map<string, Read>();
  #before = new Map<string, Read>();
  #characters = 0;

  get(key: string, nowMs: number, read: () => KeptRecord | undefined): StoredRecord | undefined {
    const known =
      this.#recent.get(key) ?? this.#keep(key, this.#before.get(key) ?? { record: read() });
    const { record } = known;
    if (record === undefined || record.expiresMs <= nowMs) return undefined;
    const { value, version } = record;
    return { key, value, version };
  }

  /** It is being changed. */
  forget(key: string): void {
    this.#recent.delete(key);
    this.#before.delete(key);
  }

  #keep(key: string, read: Read): Read {
    this.#characters += key.length + (read.record?.value.length ?? 0) + ENTRY_CHARACTERS;
    if (this.#characters > READ_CHARACTERS_MAX) {
      this.#before = this.#recent;
      this.#recent = new Map();
      this.#characters = 0;
    }
    this.#recent.set(key, read);
    return read;
  }
}

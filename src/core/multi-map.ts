/** A map from a key to one or many values that costs no set while there is one, which is the common case by far. */
export class MultiMap<Value extends object> {
  readonly #entries = new Map<string, Value | Set<Value>>();

  /** The number of keys. */
  get size(): number {
    return this.#entries.size;
  }

  keys(): Iterable<string> {
    return this.#entries.keys();
  }

  add(key: string, value: Value): void {
    const kept = this.#entries.get(key);
    if (kept === undefined) this.#entries.set(key, value);
    else if (kept instanceof Set) kept.add(value);
    else if (kept !== value) this.#entries.set(key, new Set([kept, value]));
  }

  delete(key: string, value: Value): void {
    const kept = this.#entries.get(key);
    if (kept === value) this.#entries.delete(key);
    else if (kept instanceof Set) {
      kept.delete(value);
      if (kept.size === 0) this.#entries.delete(key);
    }
  }

  count(key: string): number {
    const kept = this.#entries.get(key);
    if (kept === undefined) return 0;
    return kept instanceof Set ? kept.size : 1;
  }

  /** A copy: callers may add and delete while they walk it. */
  get(key: string): readonly Value[] {
    const kept = this.#entries.get(key);
    if (kept === undefined) return [];
    return kept instanceof Set ? [...kept] : [kept];
  }
}

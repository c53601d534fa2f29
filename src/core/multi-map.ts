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
    const held = this.#entries.get(key);
    if (held === undefined) this.#entries.set(key, value);
    else if (held instanceof Set) held.add(value);
    else if (held !== value) this.#entries.set(key, new Set([held, value]));
  }

  delete(key: string, value: Value): void {
    const held = this.#entries.get(key);
    if (held === value) this.#entries.delete(key);
    else if (held instanceof Set) {
      held.delete(value);
      if (held.size === 0) this.#entries.delete(key);
    }
  }

  count(key: string): number {
    const held = this.#entries.get(key);
    if (held === undefined) return 0;
    return held instanceof Set ? held.size : 1;
  }

  /** A copy: callers may add and delete while they walk it. */
  get(key: string): readonly Value[] {
    const held = this.#entries.get(key);
    if (held === undefined) return [];
    return held instanceof Set ? [...held] : [held];
  }
}

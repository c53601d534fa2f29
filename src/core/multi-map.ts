import { countOf, eachOf, withOne, withoutOne, type Few } from "./few.ts";

/** A map from a key to one or many values that costs no set while there is one, which is the common case by far. */
export class MultiMap<Value extends object> {
  readonly #entries = new Map<string, Few<Value>>();

  /** The number of keys. */
  get size(): number {
    return this.#entries.size;
  }

  keys(): Iterable<string> {
    return this.#entries.keys();
  }

  add(key: string, value: Value): void {
    this.#entries.set(key, withOne(this.#entries.get(key), value));
  }

  delete(key: string, value: Value): void {
    if (withoutOne(this.#entries.get(key), value) === undefined) this.#entries.delete(key);
  }

  count(key: string): number {
    return countOf(this.#entries.get(key));
  }

  /** A copy: callers may add and delete while they walk it. */
  get(key: string): readonly Value[] {
    return [...eachOf(this.#entries.get(key))];
  }
}

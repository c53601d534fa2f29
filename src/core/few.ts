/** One value or many: what is mostly one costs no set. */

/** A set only from the second one on. */
export type Few<Value extends object> = Value | Set<Value> | undefined;

export function withOne<Value extends object>(few: Few<Value>, value: Value): Few<Value> {
  if (few === undefined || few === value) return value;
  return few instanceof Set ? few.add(value) : new Set([few, value]);
}

export function withoutOne<Value extends object>(few: Few<Value>, value: Value): Few<Value> {
  if (few === value) return undefined;
  if (!(few instanceof Set)) return few;
  few.delete(value);
  return few.size === 0 ? undefined : few;
}

export function hasOne<Value extends object>(few: Few<Value>, value: Value): boolean {
  return few === value || (few instanceof Set && few.has(value));
}

export function countOf(few: Few<object>): number {
  if (few === undefined) return 0;
  return few instanceof Set ? few.size : 1;
}

/** Not a copy, where there are many. */
export function eachOf<Value extends object>(few: Few<Value>): Iterable<Value> {
  if (few === undefined) return [];
  return few instanceof Set ? few : [few];
}

/** `make`, put off until its value is first asked for, and then kept. What it throws is thrown again each time. */
export function lazy<Value>(make: () => Value): () => Value {
  let made: { readonly value: Value } | undefined;
  return () => (made ??= { value: make() }).value;
}

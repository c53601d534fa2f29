/** Where a frame's publications stand in their channel, as far as its protocol says so. Others' frames have no such words. */

const FINDERS: Readonly<Record<string, (text: string) => readonly number[]>> = {
  streaming: ofStreaming,
  messaging: ofMessaging,
  tasks: (text) => numbers([memberOf(parse(text), "Seq")]),
};

/** `""`: it says none. */
export function positionsOf(dialect: string, text: string): string {
  const found = FINDERS[dialect]?.(text) ?? [];
  return found.map((position) => `#${position}`).join(" ");
}

/** centrifugo-protocol.md: replies and pushes, a line each; what was recovered stands in the reply. */
function ofStreaming(text: string): readonly number[] {
  return text.split("\n").flatMap((line) => {
    const message = parse(line);
    const push = memberOf(memberOf(message, "push"), "pub");
    const recovered = memberOf(memberOf(message, "subscribe"), "publications");
    const all = [push, ...(Array.isArray(recovered) ? (recovered as unknown[]) : [])];
    return numbers(all.map((publication) => memberOf(publication, "offset")));
  });
}

/** sockjs.md: `a` and an array of messages as texts; `sequence` 0 is no place. */
function ofMessaging(text: string): readonly number[] {
  const messages = text.startsWith("a") ? parse(text.slice(1)) : undefined;
  if (!Array.isArray(messages)) return [];
  const found = messages.map((message) => memberOf(parse(message), "sequence"));
  return numbers(found).filter((sequence) => sequence > 0);
}

export function memberOf(value: unknown, name: string): unknown {
  if (typeof value !== "object" || value === null || !Object.hasOwn(value, name)) return undefined;
  return (value as Readonly<Record<string, unknown>>)[name];
}

/** Undefined: it is not JSON. */
export function parse(text: unknown): unknown {
  try {
    return JSON.parse(String(text));
  } catch {
    return undefined;
  }
}

function numbers(values: readonly unknown[]): readonly number[] {
  return values.filter((value) => typeof value === "number");
}

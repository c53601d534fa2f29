/** What somebody said, out of what a protocol delivers: the panes say `{from, text}`, and pushes whatever their sender likes. */
import { memberOf, parse } from "./positions.ts";

export interface Heard {
  /** `""`: a server. */
  readonly from: string;
  readonly text: string;
}

export function heardOf(data: unknown): Heard {
  const content = memberOf(data, "content");
  // A message of messaging, as it is and as the other protocols are shown it.
  if (typeof content === "string" && memberOf(data, "message-id") !== undefined) {
    const isJson = memberOf(data, "content-type") === "application/json";
    const inner = isJson ? parse(content) : undefined;
    if (inner !== undefined) return heardOf(inner);
    return { from: textOf(memberOf(data, "from")), text: content };
  }
  const text = memberOf(data, "text");
  if (typeof text === "string") return { from: textOf(memberOf(data, "from")), text };
  return { from: "", text: typeof data === "string" ? data : JSON.stringify(data) };
}

function textOf(value: unknown): string {
  return typeof value === "string" ? value : "";
}

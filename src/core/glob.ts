/** Globs, as lists of origins and channel patterns use them (centrifugo-protocol.md §15, §17). */
import { loadRe2 } from "./re2.ts";

/** The RE2 expression, anchored, of a glob: `*` any characters, `?` one, `[a-z]` and `[!a-z]` one of or not of, `{a,b}` either, `\` escapes. */
export function globExpression(glob: string): string {
  let expression = "";
  let alternatives = 0;
  for (let index = 0; index < glob.length; index++) {
    const char = glob[index] ?? "";
    const classEnd = char === "[" ? glob.indexOf("]", index + 2) : -1;
    if (char === "*") expression += ".*";
    else if (char === "?") expression += ".";
    else if (char === "\\" && index + 1 < glob.length)
      expression += loadRe2().quote(glob[++index] ?? "");
    else if (classEnd > 0) {
      const negated = glob[index + 1] === "!";
      const members = glob
        .slice(index + (negated ? 2 : 1), classEnd)
        .replaceAll(/[\\[\]^]/g, "\\$&");
      expression += `[${negated ? "^" : ""}${members}]`;
      index = classEnd;
    } else if (char === "{" && glob.includes("}", index)) {
      alternatives++;
      expression += "(?:";
    } else if (char === "}" && alternatives > 0) {
      alternatives--;
      expression += ")";
    } else if (char === "," && alternatives > 0) expression += "|";
    else expression += loadRe2().quote(char);
  }
  return `^(?s:${expression}${")".repeat(alternatives)})$`;
}

/** Rows for a terminal: columns of text that keep to their width, whatever names hold. */

/** Columns of the terminal that a cell takes at the most; `--json` prints whole names. */
const CELL_COLUMNS_MAX = 48;

/** With a line of titles; no row may be longer than it. */
export function tableLines(
  titles: readonly string[],
  rows: readonly (readonly string[])[],
): readonly string[] {
  const lines = [titles, ...rows.map((row) => row.map(cellOf))];
  const widths = titles.map((_, at) =>
    Math.max(...lines.map((line) => Bun.stringWidth(line[at] ?? ""))),
  );
  return lines.map((line) =>
    line
      .map((cell, at) => cell + " ".repeat((widths[at] ?? 0) - Bun.stringWidth(cell)))
      .join("  ")
      .trimEnd(),
  );
}

/**
 * What would steer a terminal or turn its text round is shown as JSON would write it: names are anyone's to choose. No name is
 * shown as `""`, so that a column is never empty.
 */
export function printable(text: string): string {
  if (text === "") return '""';
  return text.replaceAll(STEERING, (char) => {
    const code = char.codePointAt(0) ?? 0;
    return `\\u${code.toString(16).padStart(4, "0")}`;
  });
}

/** Controls, formats such as bidirectional overrides, line separators, and halves of surrogate pairs. */
const STEERING = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/gu;

function cellOf(text: string): string {
  const shown = printable(text);
  if (Bun.stringWidth(shown) <= CELL_COLUMNS_MAX) return shown;
  let cut = "";
  for (const char of shown) {
    if (Bun.stringWidth(cut + char) >= CELL_COLUMNS_MAX) break;
    cut += char;
  }
  return `${cut}…`;
}

/** What a translation has to say beside its file: a line each, without any value, since values may be secrets. */
import { plainText } from "./values.ts";
import { hintOf } from "../../config/nearest.ts";

export class Notes {
  /** By reason: the options that have no counterpart. */
  readonly #none = new Map<string, Set<string>>();
  readonly #unknown: string[] = [];
  readonly #differs: string[] = [];
  readonly #wrong: string[] = [];

  /** An option that is set, and has no counterpart. Nothing is said of one that switches something off that there is not. */
  none(option: {
    readonly written: string;
    readonly value: unknown;
    readonly reason: string;
    readonly path?: string;
  }): void {
    if (isOff(option.value)) return;
    const written = this.#none.get(option.reason) ?? new Set();
    this.#none.set(option.reason, written.add(option.written));
  }

  /** `meant`: a name that is near. */
  unknown(written: string, meant: string | undefined): void {
    this.#unknown.push(`unknown option "${written}"${hintOf(meant)}`);
  }

  /** An option whose value cannot be had here. */
  wrong(written: string, why: string): void {
    this.#wrong.push(`"${written}" is left out: ${why}`);
  }

  differs(sentence: string): void {
    this.#differs.push(sentence);
  }

  /** What Carillon does not take as it is, and cannot do without. */
  mend(key: string, message: string): void {
    this.#wrong.push(`to be mended: "${key}" ${message}`);
  }

  lines(): string[] {
    const none = [...this.#none].map(
      ([reason, written]) => `no counterpart: ${shortened([...written])}: ${reason}`,
    );
    const differs = this.#differs.map((sentence) => `differs: ${sentence}`);
    return [...new Set([...differs, ...none, ...this.#wrong, ...this.#unknown])];
  }
}

/** Also as a variable says it. */
export function isOff(value: unknown): boolean {
  if (Array.isArray(value)) return value.length === 0;
  if (typeof value === "object" && value !== null) return Object.keys(value).length === 0;
  return ["", "0", "0s", "false", "f", "[]", "{}"].includes(plainText(value).toLowerCase());
}

/** Of a list, `key` of its entries `a` and `b` is `list[a b].key`: with many namespaces the same would be said as often. */
function shortened(written: readonly string[]): string {
  const entries = new Map<string, Set<string>>();
  for (const name of written) {
    const [, list = "", entry, key = ""] = /^(.*?)\[(.*?)\]\.(.*)$/.exec(name) ?? [];
    const group = entry === undefined ? name : `${list}[…].${key}`;
    const names = entries.get(group) ?? new Set();
    entries.set(group, entry === undefined ? names : names.add(entry));
  }
  return [...entries]
    .map(([group, names]) => group.replace("[…]", `[${[...names].join(" ")}]`))
    .join(", ");
}

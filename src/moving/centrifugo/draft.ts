/** A file of Carillon's that comes into being: where its values come from is remembered, so that what it refuses is told by the user's names. */
import type { Field, FieldType } from "../../config/fields.ts";
import type { Notes } from "./notes.ts";
import type { Said, Setting, Settings } from "./settings.ts";
import { convert } from "./values.ts";

export type Table = Record<string, unknown>;

export class Draft {
  readonly file: Table = {};
  readonly notes: Notes;
  readonly #said: Said;
  readonly #types: ReadonlyMap<string, FieldType>;
  /** What the user wrote for a key of the file. */
  readonly origins = new Map<string, Setting>();

  constructor(said: Said, fields: readonly Field[], notes: Notes) {
    this.#said = said;
    this.notes = notes;
    this.#types = new Map(fields.map(({ path, type }) => [path.join("."), type]));
  }

  get settings(): Settings {
    return this.#said.settings;
  }

  at(path: string): Setting | undefined {
    return this.#said.settings.get(path);
  }

  list(path: string): readonly Settings[] {
    return this.#said.lists.get(path) ?? [];
  }

  /** The setting as the value of a key of the file. */
  put(target: string, setting: Setting): void {
    const value = this.converted(target, setting);
    if (value === undefined) return;
    const keys = target.split(".");
    const last = keys.pop() ?? "";
    this.table(...keys)[last] = value;
    this.origins.set(target, setting);
  }

  /** Undefined, and a note, for what is no value of that key's type. Empty text is no value, and needs no note. */
  converted(target: string, { value, written }: Setting): unknown {
    const type = this.#types.get(target);
    if (type === undefined) throw new Error(`There is no key "${target}"`);
    if (value === "" && type !== "string") return undefined;
    const converted = convert(value, type);
    if (converted === undefined) this.notes.wrong(written, `it is no ${type}`);
    return converted;
  }

  /** Made where there is none. */
  table(...path: readonly string[]): Table {
    let table = this.file;
    for (const key of path) table = (table[key] ??= {}) as Table;
    return table;
  }
}

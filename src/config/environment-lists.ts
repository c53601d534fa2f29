/**
 * Lists of tables by environment: `CARILLON_CHANNEL_NAMESPACES="news chat"` names the entries, and
 * `CARILLON_CHANNEL_NAMESPACES_NEWS_HISTORY_SIZE` is a key of one, whether the variable or the file has it.
 */
import {
  isInjected,
  jsonList,
  valueOf,
  wantedOf,
  type Override,
  type ReadVariables,
  type Variable,
} from "./environment.ts";
import { ENTRY_KEYS, envOf, sectionsOf, type Field, type Section } from "./fields.ts";
import { hintOf, nearest } from "./nearest.ts";
import type { Model } from "./model.ts";

interface TableList {
  readonly path: readonly string[];
  readonly env: string;
  readonly fields: readonly Field[];
  /** What names an entry; absent: its place in the file, from 0. */
  readonly key: string | undefined;
  /** Of the entries, in their order. */
  readonly names: string[];
}

/** Overrides come in the order in which they are to be made. `raw`: the file. */
export function readLists(
  { schema }: Model,
  variables: readonly Variable[],
  raw: unknown,
): ReadVariables {
  if (variables.length === 0) return { overrides: [], problems: [] };
  const overrides: Override[] = [];
  const problems: string[] = [];
  const left = new Set(variables);
  for (const section of sectionsOf(schema)) {
    const env = envOf(section.path);
    const own = variables.filter(({ name }) => name === env || name.startsWith(`${env}_`));
    if (!section.path.at(-1)?.endsWith("[]") || own.length === 0) continue;
    const path = section.path.map((part) => part.replace(/\[\]$/, ""));
    // Who names the entries does not mean the one that there is without a word.
    const unsaid = own.some(({ name }) => name === env) ? [] : (section.default ?? []);
    const held = valueAt(raw, path) ?? unsaid;
    // A file that holds something else here has a problem of its own.
    if (!Array.isArray(held)) continue;
    const list = listOf(section, path, held);
    overrides.push({ name: env, path, value: held });
    for (const variable of own) {
      if (variable.name !== env) continue;
      left.delete(variable);
      const entries = entriesOf(list, variable);
      if (entries === undefined) {
        problems.push(`${env}: must be names between spaces, or a list of tables in JSON`);
      } else overrides.push(...entries);
    }
    for (const variable of own) {
      const found = fieldsOf(list, variable);
      if (found.length === 0) continue;
      left.delete(variable);
      for (const { field, index } of found) {
        const { name, text } = variable;
        const value = valueOf(field, text);
        if (value === undefined) problems.push(`${name}: must be ${wantedOf(field)}`);
        else overrides.push({ name, path: [...path, index, ...ownPath(field)], value });
      }
    }
    for (const variable of own) {
      if (!left.delete(variable) || isInjected(variable)) continue;
      problems.push(`${variable.name}: ${unknownIn(list, variable)}`);
    }
  }
  return { overrides, problems };
}

function listOf(section: Section, path: readonly string[], held: readonly unknown[]): TableList {
  const key = ENTRY_KEYS.find((name) => section.fields.some((field) => field.path.at(-1) === name));
  const names = held.map((entry, index) => nameOf(key, entry, index));
  return { path, env: envOf(section.path), fields: section.fields, key, names };
}

function nameOf(key: string | undefined, entry: unknown, index: number): string {
  return key === undefined ? String(index) : String(valueAt(entry, [key]));
}

/** The entries that the list's own variable adds, or puts in place of all. */
function entriesOf(list: TableList, { name, text }: Variable): Override[] | undefined {
  const { key, names, path } = list;
  if (text.startsWith("[")) {
    const value = jsonList(text);
    if (value === undefined) return undefined;
    names.splice(0, names.length, ...value.map((entry, index) => nameOf(key, entry, index)));
    return [{ name, path, value }];
  }
  const added = [...new Set(text.split(/\s+/))].filter((entry) => !names.includes(entry));
  const from = names.push(...added) - added.length;
  return added.map((entry, offset) => ({
    ...{ name, path: [...path, from + offset] },
    value: key === undefined ? {} : { [key]: entry },
  }));
}

/** The fields that a variable sets: of several entries, where their names differ in `-`, `.` and `_` alone. */
function fieldsOf(list: TableList, { name }: Variable): { field: Field; index: number }[] {
  return list.names.flatMap((entry, index) => {
    const prefix = prefixOf(list, entry);
    if (!name.startsWith(prefix)) return [];
    const field = list.fields.find((known) => name === prefix + envWord(ownPath(known).join("_")));
    return field?.env === undefined ? [] : [{ field, index }];
  });
}

function unknownIn(list: TableList, { name }: Variable): string {
  const entry = list.names.find((known) => name.startsWith(prefixOf(list, known)));
  if (entry === undefined) {
    return `belongs to no entry of "${list.path.join(".")}": name it in ${list.env}, with spaces between names`;
  }
  const prefix = prefixOf(list, entry);
  const keys = list.fields.flatMap((field) =>
    field.env === undefined ? [] : [envWord(ownPath(field).join("_"))],
  );
  const meant = nearest(name.slice(prefix.length), keys);
  return `unknown variable${hintOf(meant && prefix + meant)}`;
}

const prefixOf = ({ env }: TableList, entry: string): string => `${env}_${envWord(entry)}_`;

const envWord = (name: string): string => name.toUpperCase().replace(/[-.]/g, "_");

/** Within its entry. */
function ownPath({ path }: Field): readonly string[] {
  return path.slice(path.findLastIndex((part) => part.endsWith("[]")) + 1);
}

function valueAt(value: unknown, path: readonly string[]): unknown {
  return path.reduce<unknown>(
    (table, key) =>
      typeof table === "object" && table !== null
        ? (table as Readonly<Record<string, unknown>>)[key]
        : undefined,
    value,
  );
}

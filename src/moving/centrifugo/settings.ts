/** What a configuration of Centrifugo's says, whichever version and form it has: by the options' names of version 6. */
import { nearest } from "../../config/nearest.ts";
import { FORMER, LISTS, OPTIONS, type Rule } from "./options.ts";
import type { Notes } from "./notes.ts";
import { textOf } from "./values.ts";
import type { Source, Variable } from "./sources.ts";

export interface Setting {
  /** As `OPTIONS` has it. */
  readonly path: string;
  /** As the user wrote it, for notes. */
  readonly written: string;
  readonly value: unknown;
  /** By its name of version 5. */
  readonly former: boolean;
}

/** One table of a list, or all that is in none: by path. */
export type Settings = ReadonlyMap<string, Setting>;

export interface Said {
  readonly settings: Settings;
  /** By the list's path. */
  readonly lists: ReadonlyMap<string, readonly Settings[]>;
}

const ENV_PREFIX = "CENTRIFUGO_";
/** Kubernetes sets these beside a service of that name, and Centrifugo looks at none of them. */
const INJECTED = /^CENTRIFUGO(?:_[A-Z0-9_]+)?_(?:PORT|SERVICE_)/;
/** To be filled into static headers. */
const FILLED_IN = /^CENTRIFUGO_VAR_/;

/** Later sources win; what a variable says of an entry holds wherever the entry was named. */
export function readSettings(sources: readonly Source[], notes: Notes): Said {
  const reader = new Reader(notes);
  for (const source of sources) {
    if ("tree" in source) reader.readTable("", source.tree, "");
    else for (const variable of source.variables) reader.readVariable(variable);
  }
  reader.finish();
  return reader;
}

class Reader implements Said {
  readonly settings = new Map<string, Setting>();
  readonly lists = new Map<string, Map<string, Setting>[]>();
  readonly #notes: Notes;
  /** Of entries, perhaps: which there are is known at the end. */
  readonly #left: Variable[] = [];

  constructor(notes: Notes) {
    this.#notes = notes;
  }

  /** `within`: the table's path; `""` for the whole. `into`: an entry's own settings. */
  readTable(within: string, table: object, written: string, into = this.settings): void {
    // Upstream's reader knows no case in keys.
    for (const [key, value] of Object.entries(table)) {
      const name = key.toLowerCase();
      this.#read(joined(within, name), value, joined(written, key), into);
    }
  }

  #read(path: string, value: unknown, written: string, into: Map<string, Setting>): void {
    const former = FORMER.get(path);
    const known = OPTIONS.has(path) ? path : undefined;
    const renamed = former !== undefined && "path" in former ? former.path : undefined;
    const list = [path, renamed].find((name) => name !== undefined && LISTS.has(name));
    if (list !== undefined && Array.isArray(value)) {
      return this.#readList({ list, former: list !== path }, value, written);
    }
    if (known === undefined && isTable(value) && TABLES.has(path)) {
      return this.readTable(path, value, written, into);
    }
    const target = known ?? renamed;
    if (target !== undefined) {
      into.set(target, { path: target, written, value, former: known === undefined });
    } else if (former !== undefined && "none" in former) {
      this.#notes.none({ path, written, value, reason: former.none });
    } else this.#unknown(path, written);
  }

  #readList(
    { list, former }: { readonly list: string; readonly former: boolean },
    entries: readonly unknown[],
    written: string,
  ): void {
    const tables = entries.filter(isTable).map((entry, index) => {
      const settings = new Map<string, Setting>();
      const name = typeof entry["name"] === "string" ? entry["name"] : String(index);
      this.readTable(`${list}[]`, entry, `${written}[${name}]`, settings);
      // Of version 5 are also the names that both versions have.
      if (!former) return settings;
      return new Map([...settings].map(([path, setting]) => [path, { ...setting, former }]));
    });
    this.lists.set(list, tables);
  }

  readVariable({ name, text }: Variable): void {
    if (!name.startsWith(ENV_PREFIX) || text === "" || FILLED_IN.test(name)) return;
    const list = [...LISTS, "namespaces", "rpc_namespaces"].find((path) => name === envOf(path));
    if (list !== undefined) return this.#readNames(list, { name, text });
    const path = OPTION_ENVS.get(name);
    if (path !== undefined) return this.#read(path, text, name, this.settings);
    if (!INJECTED.test(name)) this.#left.push({ name, text });
  }

  /** A list in JSON, or the names of entries between spaces, which are added to those of a file. */
  #readNames(path: string, { name, text }: Variable): void {
    if (text.startsWith("[")) {
      const value = jsonOf(text);
      if (Array.isArray(value)) this.#read(path, value, name, this.settings);
      else this.#notes.wrong(name, "is no list in JSON");
      return;
    }
    const former = FORMER.get(path);
    const list = former !== undefined && "path" in former ? former.path : path;
    const entries = this.lists.get(list) ?? [];
    for (const entry of text.split(" ").filter((word) => word !== "")) {
      const own = `${list}[].name`;
      const said = { path: own, written: name, value: entry, former: false };
      entries.push(new Map([[own, said]]));
    }
    this.lists.set(list, entries);
  }

  finish(): void {
    for (const { name, text } of this.#left) {
      let known = false;
      for (const [list, entries] of this.lists) {
        for (const entry of entries) {
          const prefix = `${envOf(list)}_${envWord(textOf(entry.get(`${list}[].name`)))}_`;
          const path = pathsOf(list).find((own) => name === prefix + envWord(own));
          if (path === undefined) continue;
          known = true;
          this.#read(`${list}[].${path}`, text, name, entry);
        }
      }
      if (!known) this.#notes.unknown(name, nearest(name, [...OPTION_ENVS.keys()]));
    }
  }

  #unknown(path: string, written: string): void {
    const cut = path.lastIndexOf(".") + 1;
    const siblings = [...OPTIONS.keys(), ...FORMER.keys()]
      .filter((known) => known.startsWith(path.slice(0, cut)))
      .map((known) => known.slice(cut));
    const names = [...new Set(siblings.flatMap((known) => [known, known.split(".")[0] ?? ""]))];
    const meant = nearest(path.slice(cut), names);
    this.#notes.unknown(written, meant && written.slice(0, written.lastIndexOf(".") + 1) + meant);
  }
}

/** Those of both versions that are in no list. */
const OPTION_ENVS: ReadonlyMap<string, string> = new Map(
  [...FORMER.keys(), ...OPTIONS.keys()]
    .filter((path) => !path.includes("[]"))
    .map((path) => [envOf(path), path]),
);

/** Paths that options lie below. */
const TABLES: ReadonlySet<string> = new Set(
  [...FORMER.keys(), ...OPTIONS.keys()].flatMap((path) => {
    const parts = path.split(".");
    return parts.slice(1).map((_, index) => parts.slice(0, index + 1).join("."));
  }),
);

export function ruleOf({ path }: Setting): Rule {
  return OPTIONS.get(path) ?? {};
}

/** Own paths of what a list's tables have, in version 6. */
function pathsOf(list: string): string[] {
  const start = `${list}[].`;
  return [...OPTIONS.keys()].flatMap((path) =>
    path.startsWith(start) ? path.slice(start.length) : [],
  );
}

function envOf(path: string): string {
  return ENV_PREFIX + envWord(path);
}

function envWord(name: string): string {
  return name.toUpperCase().replace(/[-.]/g, "_");
}

function joined(within: string, key: string): string {
  return within === "" ? key : `${within}.${key}`;
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}

function isTable(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

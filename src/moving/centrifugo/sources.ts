/** Reads files that configure a Centrifugo: its own in JSON, YAML or TOML, environment files, and compose files that run it. */
import { basename, extname } from "node:path";
import { parseFile } from "../../config/load.ts";
import { ConfigError } from "../../config/problem.ts";
import { plainText } from "./values.ts";
import type { Notes } from "./notes.ts";

export interface Variable {
  readonly name: string;
  readonly text: string;
}

export type Source = { readonly tree: object } | { readonly variables: readonly Variable[] };

export interface SourceFile {
  readonly path: string;
  readonly text: string;
}

/** Throws ConfigError for a file that cannot be parsed. What its name says counts; a name that says nothing is an environment file's. */
export function readSource(file: SourceFile, notes: Notes): Source {
  const extension = extname(basename(file.path)).toLowerCase();
  if (![".json", ".yaml", ".yml", ".toml"].includes(extension)) {
    return { variables: readVariables(file.text) };
  }
  const parsed = parseFile(file);
  if ("line" in parsed) throw new ConfigError([{ line: parsed.line, word: "config_file" }]);
  const tree = parsed.raw ?? {};
  if (!isTable(tree))
    throw new ConfigError([{ line: `${file.path}: must be a table`, word: "config_file" }]);
  const { services } = tree;
  return isTable(services) ? { variables: ofServices(services, notes) } : { tree };
}

const LINE = /^\s*(?:export\s+)?([A-Za-z_]\w*)\s*=\s*(.*?)\s*$/;

/** `NAME=value` a line, with `export`, quotes and comments as shells and Docker have them. */
function readVariables(text: string): Variable[] {
  return text.split(/\r?\n/).flatMap((line) => {
    const [, name, written = ""] = LINE.exec(line) ?? [];
    return name === undefined ? [] : [{ name, text: unquoted(written) }];
  });
}

function unquoted(written: string): string {
  const [, double] = /^"((?:[^"\\]|\\.)*)"(?:\s+#.*)?$/.exec(written) ?? [];
  if (double !== undefined) {
    return double.replace(/\\(.)/g, (_, escaped: string) => (escaped === "n" ? "\n" : escaped));
  }
  const [, single] = /^'([^']*)'(?:\s+#.*)?$/.exec(written) ?? [];
  return single ?? written.replace(/\s+#.*$/, "");
}

/** Environment and command line of each service that runs a Centrifugo. */
function ofServices(services: Readonly<Record<string, unknown>>, notes: Notes): Variable[] {
  return Object.entries(services).flatMap(([name, service]) => {
    if (!isTable(service)) return [];
    const variables = environmentOf(service["environment"]);
    const own = variables.some((variable) => variable.name.startsWith("CENTRIFUGO_"));
    if (!own && !/centrifugo/.test(plainText(service["image"]))) return [];
    if (service["env_file"] !== undefined) {
      notes.differs(`the env_file of service "${name}" is not read: name it as well`);
    }
    return [...variables, ...flagsOf(service["command"], notes)].map((variable) =>
      filledIn(variable, notes),
    );
  });
}

function environmentOf(environment: unknown): Variable[] {
  if (isTable(environment)) {
    return Object.entries(environment).map(([name, value]) => ({
      name,
      text: plainText(value),
    }));
  }
  if (!Array.isArray(environment)) return [];
  return environment.flatMap((entry) => {
    const [, name, text = ""] = /^([^=]+)=(.*)$/s.exec(plainText(entry)) ?? [];
    return name === undefined ? [] : [{ name, text }];
  });
}

/** `${NAME:-default}` stands for its default here. */
function filledIn({ name, text }: Variable, notes: Notes): Variable {
  const filled = text.replace(/\$\{\w+:?-([^}]*)\}/g, "$1");
  if (/\$\{?\w/.test(filled)) {
    notes.differs(`"${name}" refers to a variable of the shell: put in its value`);
  }
  return { name, text: filled };
}

/** Those that a value follows behind a space; of all others it follows behind `=`, or is true. */
const TAKES_VALUE = /(?:port|address|type|level|file|config|name|url|cert|key|engine|broker)$/;
const SHORT: Readonly<Record<string, string>> = {
  p: "port",
  a: "address",
  e: "engine",
  n: "name",
  c: "config",
};

/** Flags as the variables that mean the same. */
function flagsOf(command: unknown, notes: Notes): Variable[] {
  const words = Array.isArray(command) ? command.map(plainText) : plainText(command).split(/\s+/);
  const variables: Variable[] = [];
  for (let index = 0; index < words.length; index += 1) {
    const [, long, short, given] =
      /^(?:--([\w.]+)|-(\w))(?:=(.*))?$/s.exec(words[index] ?? "") ?? [];
    const name = long ?? SHORT[short ?? ""];
    if (name === undefined) continue;
    let text = given ?? "true";
    if (given === undefined && TAKES_VALUE.test(name)) text = words[(index += 1)] ?? "";
    if (name === "config") {
      notes.differs("the configuration file that the command names is not read: name it as well");
    } else {
      variables.push({ name: `CENTRIFUGO_${name.toUpperCase().replaceAll(".", "_")}`, text });
    }
  }
  return variables;
}

function isTable(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** From files and environment variables to a checked configuration. */
import { readFileSync } from "node:fs";
import { extname } from "node:path";
import { parse as parseToml, TomlError } from "smol-toml";
import { developmentFileWithDialects } from "./development.ts";
import {
  CONFIG_VARIABLE,
  readEnvironment,
  type Environment,
  type Override,
  type ReadVariables,
} from "./environment.ts";
import { readLists } from "./environment-lists.ts";
import { ConfigError, formatPath, type Path, type Problem, type ProblemLine } from "./problem.ts";
import { certificateProblem, privateKeyProblem, publicKeyProblem } from "./rules.ts";
import type { Model } from "./model.ts";
import type { BaseConfig } from "./schema.ts";
import { deepCopy, validate } from "./validate.ts";

const DEFAULT_PATHS = ["toml", "yaml", "yml", "json"].map((extension) => `carillon.${extension}`);
const PEM_MARK = "-----BEGIN";

/** Undefined when there is no such file; throws when it cannot be read. */
export type ReadFile = (path: string) => string | undefined;

export interface LoadOptions {
  /** Wins over `CARILLON_CONFIG`. Without either, a `carillon.*` in the working directory is read, if there is one. */
  readonly path?: string | undefined;
  readonly env: Environment;
  /** Single values from the command line: they win over the environment. */
  readonly flags?: readonly Flag[];
  readonly readFile?: ReadFile;
}

export interface Flag {
  /** For problems: `--workers`. */
  readonly name: string;
  readonly path: readonly string[];
  readonly value: unknown;
}

/**
 * Without any file, and unless `CARILLON_DEVELOPMENT` is false, the development configuration.
 * The public keys' and certificates' files are read too, so that a missing one shows now.
 * Throws ConfigError with every problem found.
 */
export function loadConfig(model: Model, options: LoadOptions): BaseConfig {
  const { path, env, flags = [], readFile = readTextFile } = options;
  const variables = readEnvironment(model, env);
  const problems: ProblemLine[] = [];
  const overrides: Override[] = [];
  const take = (read: ReadVariables): void => {
    const told = read.problems.map((line) => `environment: ${line}`);
    problems.push(...told.map((line) => ({ line, word: "config_environment" as const })));
    overrides.push(...read.overrides.map((one) => ({ ...one, name: `environment: ${one.name}` })));
  };
  take(variables);
  overrides.push(...flags);
  const file = findFile(path ?? (env[CONFIG_VARIABLE] || undefined), readFile);
  const live = overrides.some(({ path: [key], value }) => key === "development" && value === false);
  let raw: unknown = live ? {} : developmentFileWithDialects(model);
  if (file !== undefined) {
    const parsed = parseFile(file);
    if ("line" in parsed) throw new ConfigError([...problems, ofFile(parsed.line)]);
    raw = deepCopy(parsed.raw ?? {});
  }
  take(readLists(model, variables.listed, raw));
  for (const override of overrides) assign(raw, override.path, deepCopy(override.value));

  const names = new Map(overrides.map((override) => [formatPath(override.path), override.name]));
  const source = file?.path ?? (live ? "configuration" : "development configuration");
  const lineOf = ({ path: at, message }: Problem) => {
    const key = formatPath(at);
    const override = names.get(key);
    if (override !== undefined) return `${override}: ${message}`;
    // Of an entry that a variable made.
    const maker =
      typeof at.at(-2) === "number" ? names.get(formatPath(at.slice(0, -1))) : undefined;
    if (maker !== undefined) return `${maker}: ${key}: ${message}`;
    return key === "" ? `${source}: ${message}` : `${source}: ${key}: ${message}`;
  };
  const told = (problem: Problem): ProblemLine => {
    const { word = "config_conflict" } = problem;
    return { line: lineOf(problem), word };
  };
  const checked = validate(model, raw);
  if ("problems" in checked) {
    throw new ConfigError([...problems, ...checked.problems.map(told)]);
  }
  const { config, problems: fileProblems } = readNamedFiles(checked.config, readFile);
  problems.push(...fileProblems.map(told));
  if (problems.length > 0) throw new ConfigError(problems);
  return config;
}

function ofFile(line: string): ProblemLine {
  return { line, word: "config_file" };
}

interface SourceFile {
  readonly path: string;
  readonly text: string;
}

function findFile(path: string | undefined, readFile: ReadFile): SourceFile | undefined {
  const found = (path === undefined ? DEFAULT_PATHS : [path]).flatMap((candidate) => {
    try {
      const text = readFile(candidate);
      return text === undefined ? [] : [{ path: candidate, text }];
    } catch (error) {
      throw new ConfigError([ofFile(`${candidate}: cannot be read: ${reasonOf(error)}`)]);
    }
  });
  if (path !== undefined && found.length === 0) {
    throw new ConfigError([ofFile(`${path}: the file does not exist`)]);
  }
  if (found.length > 1) {
    const both = found.map((file) => file.path).join(" and ");
    const line = `${both}: keep one of these files, or name one with --config`;
    throw new ConfigError([ofFile(line)]);
  }
  return found[0];
}

/** Plain data of a file, by what its name ends with; a line that says where it is wrong. */
export function parseFile({ path, text }: SourceFile): { raw: unknown } | { line: string } {
  switch (extname(path).toLowerCase()) {
    case ".toml":
      try {
        return { raw: parseToml(text) };
      } catch (error) {
        if (!(error instanceof TomlError)) throw error;
        const reason = firstLine(error.message).replace("Invalid TOML document: ", "");
        return { line: `${path}:${error.line}:${error.column}: ${reason}` };
      }
    case ".yaml":
    case ".yml":
      return parseYaml(path, text);
    case ".json":
      try {
        return { raw: JSON.parse(text) as unknown };
      } catch (error) {
        // The runtime does not say where; the YAML reader, whose language includes JSON, mostly does.
        const located = parseYaml(path, text);
        return "line" in located ? located : { line: `${path}: ${reasonOf(error)}` };
      }
    default:
      return { line: `${path}: must end with .toml, .yaml, .yml or .json` };
  }
}

function parseYaml(path: string, text: string): { raw: unknown } | { line: string } {
  // Loaded for such a file alone: the others' servers start sooner without.
  const { parseDocument } = require("yaml") as typeof import("yaml");
  const document = parseDocument(text);
  const [error] = document.errors;
  if (error === undefined) return { raw: document.toJS() as unknown };
  const at = error.linePos?.[0];
  const place = at === undefined ? path : `${path}:${at.line}:${at.col}`;
  return {
    line: `${place}: ${firstLine(error.message).replace(/ at line \d+, column \d+:?$/, "")}`,
  };
}

function assign(raw: unknown, path: Path, value: unknown): void {
  let table = raw;
  for (const [index, key] of path.entries()) {
    // A file that holds something else here has a problem of its own.
    if (typeof table !== "object" || table === null) return;
    if (Array.isArray(table) !== (typeof key === "number")) return;
    const entries = table as Record<string | number, unknown>;
    if (index === path.length - 1) entries[key] = value;
    else table = entries[key] ??= {};
  }
}

function readNamedFiles(
  config: BaseConfig,
  readFile: ReadFile,
): { readonly config: BaseConfig; readonly problems: readonly Problem[] } {
  const problems: Problem[] = [];
  const read = (file: string, path: Path): string | undefined => {
    try {
      const text = readFile(file);
      if (text === undefined) {
        problems.push({ path, message: `file "${file}" does not exist`, word: "config_file" });
      }
      return text;
    } catch (error) {
      const message = `"${file}" cannot be read: ${reasonOf(error)}`;
      problems.push({ path, message, word: "config_file" });
      return undefined;
    }
  };
  for (const name of ["clients", "api"] as const) {
    const { tls } = config[name];
    if (tls.cert === undefined || tls.key === undefined) continue;
    const cert = read(tls.cert, [name, "tls", "cert"]);
    const key = read(tls.key, [name, "tls", "key"]);
    if (cert === undefined || key === undefined) continue;
    const problem = certificateProblem(cert, key);
    if (problem !== undefined) {
      const { of, message } = problem;
      problems.push({ path: [name, "tls", of], message, word: "config_file" });
    }
  }
  if (config.redis.ca !== undefined) read(config.redis.ca, ["redis", "ca"]);
  const signingKeys = config.signing_keys.map((key, index) => {
    const name = key.public_key === undefined ? "private_key" : "public_key";
    const given = key[name];
    if (given === undefined) return key;
    const path = ["signing_keys", index, name];
    const pem = given.includes(PEM_MARK) ? given : read(given, path);
    if (pem === undefined) return key;
    const problemOf = name === "public_key" ? publicKeyProblem : privateKeyProblem;
    const message = problemOf(pem, key.algorithms);
    if (message !== undefined) problems.push({ path, message, word: "config_invalid" });
    return { ...key, [name]: pem };
  });
  return { config: { ...config, signing_keys: signingKeys }, problems };
}

function readTextFile(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return undefined;
    throw error;
  }
}

function reasonOf(error: unknown): string {
  return firstLine(error instanceof Error ? error.message : String(error));
}

function firstLine(text: string): string {
  return text.split("\n", 1)[0] ?? "";
}

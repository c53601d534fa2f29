/** What is wrong with a configuration: each problem is one line, and all of them are told at once. */

import type { ConfigWord } from "./words.ts";

export type Path = readonly (string | number)[];

export interface Problem {
  /** The key that is wrong; empty for the file as a whole. */
  readonly path: Path;
  /** Reads as a sentence behind the key: "must be at least 1". */
  readonly message: string;
  /** Default `config_conflict`: what each rule between keys finds. */
  readonly word?: ConfigWord;
}

export interface ProblemLine {
  readonly line: string;
  readonly word: ConfigWord;
}

export class ConfigError extends Error {
  /** One line each, naming where it was read from. At least one. */
  readonly problems: readonly string[];
  /** The same, each with its word. */
  readonly lines: readonly ProblemLine[];

  constructor(lines: readonly ProblemLine[]) {
    const problems = lines.map(({ line }) => line);
    super(problems.join("\n"));
    this.name = "ConfigError";
    this.problems = problems;
    this.lines = lines;
  }
}

/** `channel.namespaces[0].history_size` */
export function formatPath(path: Path): string {
  return path.reduce<string>(
    (text, part) =>
      typeof part === "number" ? `${text}[${part}]` : text === "" ? part : `${text}.${part}`,
    "",
  );
}

/** How a command says that it failed: one line per problem on the standard error, with the word that `carillon errors` explains, and a non-zero exit. */
import { ConfigError } from "../config/problem.ts";
import { StartError, type StartWord } from "../core/start-error.ts";
import type { CliWord } from "./words.ts";

/** An expected failure, told by its message alone. */
export class CommandError extends Error {
  override readonly name = "CommandError";
  readonly word: CliWord;

  constructor(message: string, options: ErrorOptions & { readonly word: CliWord }) {
    super(message, options);
    this.word = options.word;
  }
}

/** Options for what the command line got wrong, and for what a server would not do. */
export const USAGE = { word: "command_usage" } as const;
export const REFUSED = { word: "server_refused" } as const;

/** Lines without a stack trace, whatever was thrown. */
export function failureLines(error: unknown): readonly string[] {
  if (error instanceof ConfigError) {
    return error.lines.map(({ line, word }) => `${line} [${word}]`);
  }
  return [`carillon: ${reasonOf(error)} [${wordOf(error)}]`];
}

function wordOf(error: unknown): CliWord | StartWord {
  if (error instanceof CommandError || error instanceof StartError) return error.word;
  // As the system's calls on files have it.
  const isOfFile = error instanceof Error && "errno" in error && "path" in error;
  return isOfFile ? "file_unusable" : "command_failed";
}

/** The first line of an error's message; its code where it has no message. */
export function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const code = "code" in error ? String(error.code) : error.name;
  return error.message.split("\n", 1)[0] || code;
}

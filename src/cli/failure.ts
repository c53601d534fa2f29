/** How a command says that it failed: one line per problem on the standard error, and a non-zero exit. */
import { ConfigError } from "../config/problem.ts";

/** An expected failure, told by its message alone. */
export class CommandError extends Error {
  override readonly name = "CommandError";
}

/** Lines without a stack trace, whatever was thrown. */
export function failureLines(error: unknown): readonly string[] {
  if (error instanceof ConfigError) return error.problems;
  return [`carillon: ${reasonOf(error)}`];
}

/** The first line of an error's message; its code where it has no message. */
export function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const code = "code" in error ? String(error.code) : error.name;
  return error.message.split("\n", 1)[0] || code;
}

/** `carillon errors`: what a word, code or reason means, why it happens and what to do. */
import { Command } from "commander";
import { nearest } from "../config/nearest.ts";
import { dialectErrors, errorEntries, findErrors, type ErrorEntry } from "../dialects/errors.ts";
import { errorLines, errorsPage } from "../dialects/errors-page.ts";
import { DIALECTS } from "../dialects/list.ts";
import { shownOf } from "../dialects/shown.ts";
import { ADMIN_ERRORS } from "../operations/admin/errors.ts";
import { CommandError, USAGE } from "./failure.ts";
import { CLI_WORDS } from "./words.ts";

export function errorsCommand(): Command {
  return new Command("errors")
    .description("explain an error: its cause and what to do; without one, list all words")
    .argument(
      "[code...]",
      "a word, a close code, an error code or a reason: token_expired, 3500, …",
    )
    .option("--json", "print JSON")
    .option("--page", "print the page of all errors instead")
    .action(async (codes: readonly string[], options: { json?: true; page?: true }) => {
      const all = await allErrors();
      if (options.page) return void process.stdout.write(errorsPage(all));
      const found = codes.length === 0 ? all : codes.flatMap((code) => lookUp(all, code));
      if (options.json) console.log(JSON.stringify(found, null, 2));
      else if (codes.length > 0) console.log(found.flatMap(errorLines).join("\n"));
      else console.log(listLines(all).join("\n"));
    });
}

/** Of everything that this build says. */
export async function allErrors(): Promise<readonly ErrorEntry[]> {
  const parts = await dialectErrors(DIALECTS);
  // Its codes are the words.
  const shown = shownOf("HTTP", ADMIN_ERRORS, (status, code) => ({ code, text: `${status}` }));
  const admin = { words: {}, shown };
  return errorEntries([...parts, ["admin", admin], ["cli", { words: CLI_WORDS, shown: [] }]]);
}

function lookUp(all: readonly ErrorEntry[], code: string): readonly ErrorEntry[] {
  const found = findErrors(all, code);
  if (found.length > 0) return found;
  const near = nearest(
    code,
    all.map(({ word }) => word),
  );
  const hint = near === undefined ? "carillon errors lists all" : `the nearest word is "${near}"`;
  throw new CommandError(`"${code}" is no error of Carillon: ${hint}`, USAGE);
}

function listLines(all: readonly ErrorEntry[]): readonly string[] {
  const width = Math.max(...all.map(({ word }) => word.length));
  return all.map(({ word, means }) => `${word.padEnd(width)}  ${means}`);
}

/** Words for what commands fail with: `carillon errors` and docs/errors.md explain them. */
import type { Explained } from "../core/words.ts";

export const CLI_WORDS = {
  command_usage: {
    means: "The command cannot work with these options.",
    cause: "One is missing, or has another form.",
    remedy: "The line names the option; `carillon help <command>` has all.",
  },
  server_unreachable: {
    means: "The server did not answer.",
    cause: "It does not run, listens elsewhere, or a firewall or proxy stands between.",
    remedy: "Give its address with `--url`; `carillon config` prints where it listens.",
  },
  server_refused: {
    means: "The server answered, and did not do it.",
    cause: "The key is wrong or lacks a scope, or what the command names is not there.",
    remedy: "The line has the server's own code: look that up as well.",
  },
} as const satisfies Readonly<Record<string, Explained>>;

export type CliWord = keyof typeof CLI_WORDS;

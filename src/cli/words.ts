/** Words for what commands fail with: `carillon errors` and docs/errors.md explain them. */
import type { Words } from "../core/words.ts";

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
  signing_key_missing: {
    means: "The configuration has no key that can sign the token.",
    cause: "The app has no key of this use with an `hmac_secret`, or its time is over.",
    remedy: "Add one to `[[signing_keys]]`, or make the token where the private key is.",
  },
  bun_missing: {
    means: "The program cannot run: its runtime is not there.",
    cause: "The optional package that holds Bun for this platform was left out, or may not be run.",
    remedy:
      "Install again with `npm install --include=optional`, or use a single file or the image.",
  },
  file_unusable: {
    means: "The command cannot read or write a file.",
    cause: "It does not exist, is another user's, or the disk takes no more.",
    remedy: "The line names the file and the system's reason.",
  },
  command_failed: {
    means: "The command failed in a way that was not foreseen.",
    cause: "A bug, or something about the machine that the command does not know.",
    remedy: "The line has the reason. If it does not help, report it with the command.",
  },
} as const satisfies Words;

export type CliWord = keyof typeof CLI_WORDS;

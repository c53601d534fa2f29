/** Shell completion: what each shell offers by the script, where it is installed; and `--json` on each command that prints data. */
import { beforeAll, describe, expect, test } from "bun:test";
import type { Command } from "commander";
import { createProgram } from "./program.ts";
import { carillon, write } from "./test-support.ts";

const scripts = new Map<string, string>();
beforeAll(async () => {
  for (const shell of ["bash", "zsh", "fish"]) {
    const { code, out } = await carillon(["completion", shell]);
    expect(code).toBe(0);
    scripts.set(shell, write(`completion.${shell}`, out));
  }
});

/** What is offered for the last of these words. */
const OFFERS: Readonly<Record<string, (script: string, words: readonly string[]) => string[]>> = {
  bash: (script, words) => [
    ...["bash", "--norc", "-c"],
    `source "$1"; shift; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _carillon; printf '%s\\n' "\${COMPREPLY[@]}"`,
    ...["-", script, ...words],
  ],
  // The shell's own functions take what is offered, and leave out what does not begin like the word.
  zsh: (script, words) => [
    ...["zsh", "-f", "-c"],
    `compdef() { :; }; _files() { print -l -- *(N) }
     _describe() { [[ $1 == -o ]] && shift; print -l -- \${\${(P)\${@[-1]}}%%:*} | grep -- "^\${words[-1]}" }
     source "$1"; shift; words=("$@"); CURRENT=$#; _carillon; true`,
    ...["-", script, ...words],
  ],
  fish: (script, words) => [
    ...["fish", "--no-config", "-c"],
    'source $argv[1]; complete -C "$argv[2..]" | string replace -r "\\t.*" ""',
    ...[script, ...words],
  ],
};

for (const [shell, commandOf] of Object.entries(OFFERS)) {
  describe.skipIf(Bun.which(shell) === null)(shell, () => {
    /** Without duplicates: a shell may offer a word twice. */
    const offered = async (...words: string[]): Promise<string[]> => {
      const command = commandOf(scripts.get(shell) ?? "", ["carillon", ...words]);
      const run = Bun.spawn(command, {
        stdout: "pipe",
        stderr: "pipe",
        env: { PATH: process.env["PATH"], HOME: "/tmp" },
      });
      const [out, err] = await Promise.all([
        new Response(run.stdout).text(),
        new Response(run.stderr).text(),
      ]);
      expect(err).toBe("");
      return [...new Set(out.split("\n").filter((line) => line !== ""))].toSorted();
    };

    test("offers commands, sub-commands and options as they are", async () => {
      expect(await offered("co")).toEqual(["completion", "config", "connections"]);
      expect(await offered("token", "s")).toEqual(["streaming"]);
      expect(await offered("token", "streaming", "--e")).toEqual(["--expires"]);
      expect(await offered("doctor", "https://a.example", "--qu")).toEqual(["--quick"]);
      expect(await offered("completion", "z")).toEqual(["zsh"]);
      expect(await offered("kick", "--user", "who", "--re")).toEqual(["--reconnect"]);
    });
  });
}

test("a shell that is not known is refused, with those that are", async () => {
  const { code, err } = await carillon(["completion", "tcsh"]);
  expect(code).toBe(1);
  expect(err).toContain("Allowed choices are bash, zsh, fish");
});

/** What prints no data of its own, with why. */
const WITHOUT_JSON = new Map([
  ["serve", "prints the log, whose format the configuration says"],
  ["completion", "prints a script"],
  ["bench-load", "is a process of a bench, which talks to it alone"],
]);

test("what people have no use for is not offered", () => {
  for (const script of scripts.values()) expect(script).not.toContain("bench-load");
});

test("every command that prints data takes --json", () => {
  const without = (command: Command, path: string): string[] => {
    if (command.commands.length > 0) {
      return command.commands.flatMap((each) => without(each, `${path} ${each.name()}`.trim()));
    }
    return command.options.some(({ long }) => long === "--json") ? [] : [path];
  };
  expect(without(createProgram(), "")).toEqual([...WITHOUT_JSON.keys()]);
});

test("--json of token, key, version and config is JSON", async () => {
  const parsed = async (...args: string[]): Promise<unknown> =>
    JSON.parse((await carillon([...args, "--json"])).out);
  expect(await parsed("token", "streaming")).toEqual({ token: expect.stringMatching(/^eyJ/) });
  expect(await parsed("key", "--id", "a1")).toMatchObject({
    ...{ key: expect.stringMatching(/^evk_a1_/), entry: { id: "a1", scopes: ["*"] } },
  });
  expect(await parsed("version")).toEqual({
    carillon: expect.any(String),
    bun: expect.any(String),
  });
  expect(await parsed("config", "--dev")).toMatchObject({ development: true });
  expect(await parsed("config", "--production")).toMatchObject({ apps: [{ id: "main" }] });
});

/** Every block that a page prints is run, or `known.ts` says by whom it is or why it cannot be. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { existsSync, readFileSync } from "node:fs";
import { basename, join } from "node:path";
import { loadConfig } from "../../src/dialects/configuration.ts";
import { systemRuntime } from "../../src/system-runtime.ts";
import { blocksOf, readPages, ROOT, runBlocks, type Block } from "../support/printed.ts";
import { bootServer, type BootedServer } from "../support/server.ts";
import { PAGES } from "./known.ts";

/** Each command is a process of its own, on a machine that does other things as well. */
const COMMANDS_TIMEOUT_MS = 60_000;

const pages = [...(await readPages())].map(([page, text]) => ({
  page,
  blocks: blocksOf(page, text),
}));
const knownOf = ({ page, name, language }: Block) =>
  PAGES[page]?.known?.[name] ?? PAGES[page]?.known?.[language || "plain"];

let server: BootedServer;
beforeAll(async () => {
  server = await bootServer({ runtime: systemRuntime });
});
afterAll(() => server[Symbol.asyncDispose]());

for (const { page, blocks } of pages) {
  const unknown = blocks.filter((block) => knownOf(block) === undefined);
  const of = (language: string) => unknown.filter((block) => block.language === language);
  if (unknown.length === 0) continue;
  describe(page, () => {
    const shell = of("sh");
    if (shell.length > 0) {
      test(
        "its commands",
        async () => {
          await runBlocks(shell, { server, replace: PAGES[page]?.replace ?? [] });
        },
        COMMANDS_TIMEOUT_MS,
      );
    }
    for (const { name, text } of of("toml")) {
      test(`${name} is a configuration`, () => {
        // What a page leaves out is as in the mode that asks for nothing.
        const file = /^\s*development *=/m.test(text) ? text : `development = true\n${text}`;
        const readFile = (path: string) => (path === "carillon.toml" ? file : undefined);
        loadConfig({ path: "carillon.toml", env: {}, readFile });
      });
    }
    for (const { name, text } of of("json")) {
      test(`${name} is JSON`, () => expect(() => JSON.parse(text)).not.toThrow());
    }
    test("no block is left that nobody runs", () => {
      const languages = ["sh", "toml", "json", "html"];
      const left = unknown.filter(({ language }) => !languages.includes(language));
      expect(left.map(({ name }) => name)).toEqual([]);
    });
  });
}

test("what is known is there, and is named where it is run", () => {
  const wrong = Object.entries(PAGES).flatMap(([page, { known = {} }]) => {
    const blocks = pages.find((one) => one.page === page)?.blocks ?? [];
    return Object.entries(known).flatMap(([name, entry]) => {
      const isThere = blocks.some(
        (block) => block.name === name || (block.language || "plain") === name,
      );
      if (!isThere) return [`${page} has no block "${name}"`];
      return "not" in entry || namesPage(entry.by, page)
        ? []
        : [`${entry.by} does not name ${page}`];
    });
  });
  expect(wrong).toEqual([]);
});

/** A test of clients or dialects may find its page by a pattern. */
function namesPage(path: string, page: string): boolean {
  if (!existsSync(join(ROOT, path))) return false;
  const text = readFileSync(join(ROOT, path), "utf8");
  return text.includes(page) || text.includes(basename(page));
}

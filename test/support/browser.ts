/**
 * A real Chromium without a window, for what runs in pages. It is looked for when this module is loaded, and comes from the system's
 * packages where it is missing; a file that imports this fails with one line where that may not be done.
 */
import { existsSync } from "node:fs";
import { afterAll, afterEach, beforeAll } from "bun:test";
import { chromium, type Browser, type Page } from "playwright-core";
import { needProgram } from "./install-package.ts";

const NAMES = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome"];
const MAC = "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome";

const executablePath = needProgram({
  what: "Chromium or Chrome",
  find: () =>
    NAMES.map((name) => Bun.which(name)).find(Boolean) ?? (existsSync(MAC) ? MAC : undefined),
  aptPackage: "chromium",
  elsewhere: 'macOS: "brew install --cask google-chrome"',
});

export interface OpenPage {
  /** Playwright's. */
  readonly page: Page;
  /** What the page logs, line by line and in order. Rejects at once when a script of the page failed. */
  readonly nextLine: () => Promise<string>;
}

/** For a slow machine's first start. */
const START_TIMEOUT_MS = 60_000;

export interface BrowserOptions {
  /** Pages stay for the tests behind the one that opened them. Default: each is closed behind its test. */
  readonly keepsPages?: boolean;
}

/** For the tests of one file: one browser. */
export function useBrowser({ keepsPages = false }: BrowserOptions = {}): {
  /** `prepare`: what is to be done to the page before it loads. */
  open(url: string, prepare?: (page: Page) => Promise<unknown>): Promise<OpenPage>;
} {
  let browser: Browser;
  const pages: Page[] = [];

  // Before the tests: of what one of them starts nothing is left when it runs out of time.
  beforeAll(async () => {
    // A container's root has no sandbox, and these pages are ours.
    browser = await chromium.launch({ executablePath, args: ["--no-sandbox"] });
  }, START_TIMEOUT_MS);

  afterEach(async () => {
    if (keepsPages) return;
    await Promise.all(pages.splice(0).map((page) => page.close()));
  });
  afterAll(() => browser.close());

  return {
    async open(url, prepare) {
      // With a context of its own, as a new visitor has.
      const page = await browser.newPage();
      pages.push(page);
      const lines = createLines();
      page.on("console", (message) => {
        if (message.type() === "log") lines.push(message.text());
      });
      page.on("pageerror", (error) => lines.fail(error));
      await prepare?.(page);
      await page.goto(url);
      return { page, nextLine: () => lines.next() };
    },
  };
}

function createLines() {
  const lines: string[] = [];
  let failure: Error | undefined;
  let wake = (): void => {};
  return {
    push(line: string): void {
      lines.push(line);
      wake();
    },
    fail(error: Error): void {
      failure = error;
      wake();
    },
    async next(): Promise<string> {
      for (;;) {
        if (failure !== undefined) throw failure;
        const line = lines.shift();
        if (line !== undefined) return line;
        await new Promise<void>((resolve) => (wake = resolve));
      }
    },
  };
}

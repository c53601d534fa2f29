/** The playground in a real browser: its panes and its push box, as somebody sees them. */
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll } from "bun:test";
import type { Locator, Page } from "playwright-core";
import { useBrowser } from "./browser.ts";
import { spawnServer, type ChildServer } from "./child-server.ts";

/** For whoever reviews the page; not kept by git. */
const PICTURES = join(import.meta.dir, "../../test-results");

const STEP_MS = 100;
/** What is waited for at the most: only a failing test waits so long. */
const PATIENCE_MS = 10_000;

export const PANES = ["streaming", "messaging", "gusher", "sora", "tasks"] as const;
export type PaneName = (typeof PANES)[number];

export class Playground {
  readonly page: Page;
  /** What went wrong in the page, as its console says. */
  readonly troubles: string[] = [];
  /** What the page asked for, of whichever host. */
  readonly asked: URL[] = [];

  constructor(page: Page) {
    this.page = page;
    page.on("pageerror", (error) => this.troubles.push(String(error)));
    page.on("console", (message) => {
      if (message.type() === "error") this.troubles.push(message.text());
    });
    page.on("request", (request) => this.asked.push(new URL(request.url())));
  }

  pane(name: PaneName): Locator {
    return this.page.locator(`[data-pane=${name}]`);
  }

  button(name: string, within: Locator | Page = this.page): Locator {
    return within.getByRole("button", { name, exact: true });
  }

  async openAll(): Promise<void> {
    await this.button("All").click();
    for (const name of PANES) await this.connected(name);
  }

  connected(name: PaneName): Promise<void> {
    return this.pane(name).getByText("connected", { exact: true }).waitFor();
  }

  /** Somebody said it there, so many times before. */
  hears(name: PaneName, text: string, before = 0): Promise<void> {
    const said = this.pane(name).locator(".lines .text").getByText(text, { exact: true });
    return said.nth(before).waitFor();
  }

  noted(name: PaneName, text: string): Promise<void> {
    return this.pane(name)
      .locator(".lines .note")
      .getByText(text, { exact: true })
      .last()
      .waitFor();
  }

  /** Of the last push. */
  answered(text: string | RegExp): Promise<void> {
    return this.page.locator(".outcome").getByText(text).first().waitFor();
  }

  /** That all panes share. */
  channel(): Promise<string> {
    return this.page.locator(".channel").innerText();
  }

  /** All that is said there so far. */
  said(name: PaneName): Promise<string[]> {
    return this.pane(name).locator(".lines .text").allTextContents();
  }

  async say(name: PaneName, text: string): Promise<void> {
    await this.pane(name).getByRole("textbox").fill(text);
    await this.button("Send", this.pane(name)).click();
  }

  /** `target` absent: what the page suggests. */
  async aim(kind: string, data: string, target?: string): Promise<void> {
    await this.page.locator("select[name=kind]").selectOption(kind);
    if (target !== undefined) await this.page.locator("input[name=target]").fill(target);
    await this.page.locator("textarea[name=data]").fill(data);
  }

  async push(kind: string, data: string, target?: string): Promise<void> {
    await this.aim(kind, data, target);
    await this.button("Push").click();
  }

  /** Moves the page's time on until it is so: in steps that a network call takes, lest the clients give up each of theirs. */
  async inTime(so: Promise<unknown>): Promise<void> {
    let isSo = false;
    const seen = so.finally(() => (isSo = true));
    while (!isSo) await this.page.clock.runFor(STEP_MS);
    await seen;
  }

  async picture(name: string): Promise<void> {
    mkdirSync(PICTURES, { recursive: true });
    await this.page.screenshot({ path: join(PICTURES, `${name}.png`), fullPage: true });
  }
}

/** For the tests of one file: one server in a process of its own, as `npm start` runs it, and one page for all of them. */
export function usePlayground(): { readonly server: ChildServer; readonly page: Playground } {
  const browser = useBrowser({ keepsPages: true });
  let server: ChildServer | undefined;
  let playground: Playground | undefined;
  beforeAll(async () => {
    server = await spawnServer();
    await browser.open(server.clientsUrl, async (page) => {
      playground = new Playground(page);
      // Time goes on as ever, and can be moved on.
      await page.clock.install();
      page.setDefaultTimeout(PATIENCE_MS);
    });
  });
  afterAll(async () => {
    await server?.[Symbol.asyncDispose]();
  });
  return {
    get server() {
      if (server === undefined) throw new Error("The server runs in tests alone");
      return server;
    },
    get page() {
      if (playground === undefined) throw new Error("The page is there in tests alone");
      return playground;
    },
  };
}

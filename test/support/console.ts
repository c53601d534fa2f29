/** The console in a real browser, as somebody sees it. */
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import axe from "axe-core";
import type { Locator, Page } from "playwright-core";

/** For whoever reviews the page; not kept by git. */
const PICTURES = join(import.meta.dir, "../../test-results");

/** What is waited for at the most: only a failing test waits so long. */
const PATIENCE_MS = 10_000;

export class Console {
  readonly page: Page;
  /** What went wrong in the page, as its console says. */
  readonly troubles: string[] = [];
  /** What the page asked for, of whichever host. */
  readonly asked: URL[] = [];

  constructor(page: Page) {
    this.page = page;
    page.setDefaultTimeout(PATIENCE_MS);
    page.on("pageerror", (error) => this.troubles.push(String(error)));
    page.on("console", (message) => {
      if (message.type() === "error") this.troubles.push(message.text());
    });
    page.on("request", (request) => this.asked.push(new URL(request.url())));
  }

  part(title: string): Promise<void> {
    return this.page
      .getByRole("navigation", { name: "Parts of the console" })
      .getByRole("link", { name: title })
      .click();
  }

  table(title: string): Locator {
    return this.page.getByRole("region", { name: title, exact: true });
  }

  /** The row that holds this text. */
  row(title: string, text: string): Locator {
    return this.table(title).locator("tbody tr").filter({ hasText: text });
  }

  link(name: string): Promise<void> {
    return this.page.getByRole("link", { name, exact: true }).first().click();
  }

  async fill(label: string, text: string): Promise<void> {
    await this.page.getByLabel(label, { exact: true }).fill(text);
  }

  async choose(label: string, value: string): Promise<void> {
    await this.page.getByRole("combobox", { name: label, exact: true }).selectOption(value);
  }

  says(text: string | RegExp, within: Locator | Page = this.page): Promise<void> {
    return within.getByText(text).first().waitFor();
  }

  /** Does what a button does that asks before. */
  async kick(label: string | RegExp, within: Locator | Page = this.page): Promise<void> {
    await within.getByRole("button", { name: label }).first().click();
    await within.getByRole("button", { name: "Kick now" }).click();
  }

  /** What axe-core finds that keeps somebody out. */
  async findings(): Promise<unknown> {
    const run = `axe.run(document, { resultTypes: ["violations"] }).then(({ violations }) => violations)`;
    const found = (await this.page.evaluate(`${axe.source};${run}`)) as axe.Result[];
    return found
      .filter(({ impact }) => impact === "serious" || impact === "critical")
      .map(({ id, nodes }) => [id, nodes.map(({ html, failureSummary: why }) => [html, why])]);
  }

  async picture(name: string): Promise<void> {
    mkdirSync(PICTURES, { recursive: true });
    await this.page.screenshot({ path: join(PICTURES, `${name}.png`), fullPage: true });
  }
}

/** The site of `npm run docs`: every page, a search that finds, and nothing from another host. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { existsSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { useBrowser } from "../support/browser.ts";
import { until } from "../support/hostile.ts";
import { ROOT } from "../support/printed.ts";
import { temporaryDir } from "../support/server.ts";

/** It bundles and renders some thirty pages. */
const BUILD_TIMEOUT_MS = 180_000;
const SITE_TIMEOUT_MS = 60_000;

const browser = useBrowser();
const directory = temporaryDir();
const served = Bun.serve({
  hostname: "127.0.0.1",
  port: 0,
  fetch(request) {
    const { pathname } = new URL(request.url);
    const path = join(directory, pathname === "/" ? "index.html" : pathname);
    return existsSync(path) ? new Response(Bun.file(path)) : new Response("", { status: 404 });
  },
});

beforeAll(async () => {
  const build = Bun.spawn(["npm", "run", "docs", "--", "--outDir", directory], {
    cwd: ROOT,
    stdout: "pipe",
    stderr: "pipe",
  });
  const [out, err, code] = await Promise.all([
    new Response(build.stdout).text(),
    new Response(build.stderr).text(),
    build.exited,
  ]);
  expect({ code, told: code === 0 ? "" : out + err }).toEqual({ code: 0, told: "" });
}, BUILD_TIMEOUT_MS);

afterAll(async () => {
  await served.stop(true);
  rmSync(directory, { recursive: true });
});

const html = (name: string) => readFileSync(join(directory, name), "utf8");

test("every page is there, and leads to every other", () => {
  const names = readdirSync(join(ROOT, "docs"))
    .filter((name) => name.endsWith(".md"))
    .map((name) => name.replace(/md$/, "html"));
  const start = html("index.html");
  for (const name of [...names, "changelog.html"]) {
    expect(existsSync(join(directory, name))).toBe(true);
    expect([name, start.includes(`href="/${name}"`)]).toEqual([name, true]);
  }
  for (const name of ["clients/tasks.html", "dialects/streaming.html"]) {
    expect(existsSync(join(directory, name))).toBe(true);
  }
  const links = [...start.matchAll(/<a [^>]*href="\/([^"#]*)/g)].map(([, path = ""]) => path);
  expect(links.length).toBeGreaterThan(names.length);
  const dead = links.filter((path) => !existsSync(join(directory, path || "index.html")));
  expect(dead).toEqual([]);
});

test("no page names a file of another host", () => {
  const files = readdirSync(directory, { recursive: true }).map(String);
  const loaded = files
    .filter((name) => name.endsWith(".html"))
    .flatMap((name) => [
      ...html(name).matchAll(
        /<(?:script|img|iframe|source)[^>]*? src="([^"]*)"|<link[^>]*? href="([^"]*)"/g,
      ),
    ])
    .map(([, src, href]) => src ?? href ?? "");
  const styles = files
    .filter((name) => name.endsWith(".css"))
    .flatMap((name) => [...html(name).matchAll(/url\(["']?([^"')]+)/g)].map(([, url = ""]) => url));
  expect(loaded.length).toBeGreaterThan(20);
  const foreign = [...loaded, ...styles].filter((url) => !/^(?:\/(?!\/)|\.\/|data:)/.test(url));
  expect(foreign).toEqual([]);
});

test(
  "a word leads to its page, by what the site itself serves",
  async () => {
    const asked: string[] = [];
    const { page } = await browser.open(served.url.href, async (opened) => {
      opened.on("request", (request) => void asked.push(new URL(request.url()).origin));
    });
    // Until the page's scripts run, nobody hears the key.
    await until(async () => {
      await page.keyboard.press("Control+k");
      return page.locator("#localsearch-input").isVisible();
    });
    await page.fill("#localsearch-input", "previous_master_keys");
    const result = page.locator(".results a").first();
    await result.click();
    await page.waitForURL(/\/(?:operations|backup|configuration|changelog)\.html#?/);
    expect(await page.textContent("main")).toContain("previous_master_keys");
    expect([...new Set(asked)]).toEqual([served.url.origin]);
  },
  SITE_TIMEOUT_MS,
);

/** Links between pages lead to files and headings that are there; so do the pages that the code, its messages and its files name. */
import { expect, test } from "bun:test";
import { existsSync, readFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { Glob } from "bun";
import { anchorOf } from "../../scripts/site/anchors.ts";
import { ROOT } from "../support/printed.ts";

const read = (path: string) => readFileSync(join(ROOT, path), "utf8");
const filesOf = (pattern: string) => [...new Glob(pattern).scanSync({ cwd: ROOT, dot: false })];

const pages = ["*.md", "{docs,clients,deploy,src}/**/*.md"].flatMap(filesOf);
/** Beside the pages, what a reader of messages and files is sent from. */
const sources = [
  "{src,web,scripts,bin,clients}/**/*.{ts,tsx,js,html}",
  "{compose.yaml,Dockerfile}",
].flatMap(filesOf);

/** Without what stands in code: no link is one there. */
const prose = (text: string) =>
  text.replaceAll(/^( *)```.*?^\1```$/gms, "").replaceAll(/`[^`\n]*`/g, "``");

function anchorsOf(path: string): ReadonlySet<string> {
  const text = read(path).replaceAll(/^( *)```.*?^\1```$/gms, "");
  const headings = [...text.matchAll(/^#{1,6} (.+)$/gm)].map(([, heading = ""]) =>
    anchorOf(heading.replaceAll(/\[([^\]]*)\]\([^)]*\)/g, "$1")),
  );
  const ids = [...text.matchAll(/<a id="([^"]+)">/g)].map(([, id = ""]) => id);
  return new Set([...headings, ...ids]);
}

/** Undefined: it leads somewhere. */
function wrongIn(from: string, path: string, anchor: string | undefined): string | undefined {
  const link = anchor === undefined ? path : `${path}#${anchor}`;
  if (!existsSync(join(ROOT, path))) return `${from}: ${link}: no such file`;
  if (anchor === undefined || !path.endsWith(".md")) return undefined;
  return anchorsOf(path).has(anchor) ? undefined : `${from}: ${link}: no such heading`;
}

test("of the pages", () => {
  const links = pages.flatMap((page) =>
    [...prose(read(page)).matchAll(/\]\(([^)\s]+)\)/g)].map(([, href = ""]) => ({ page, href })),
  );
  expect(links.length).toBeGreaterThan(50);
  const wrong = links.flatMap(({ page, href }) => {
    if (/^[a-z]+:/.test(href)) return [];
    const [path = "", anchor] = href.split("#");
    const target = path === "" ? page : relative(ROOT, join(ROOT, dirname(page), path));
    return wrongIn(page, target, anchor) ?? [];
  });
  expect(wrong).toEqual([]);
});

test("of the code", () => {
  const named = sources.flatMap((source) =>
    [...read(source).matchAll(/\bdocs\/([\w-]+\.md)(?:#([\w-]+))?/g)].map(
      ([, path = "", anchor]) => ({ source, path: `docs/${path}`, anchor }),
    ),
  );
  expect(named.length).toBeGreaterThan(5);
  expect(named.flatMap(({ source, path, anchor }) => wrongIn(source, path, anchor) ?? [])).toEqual(
    [],
  );
});

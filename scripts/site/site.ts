/**
 * The site that `npm run docs` makes of the pages as they lie in the repository, where they are read as well: their links, which hold
 * there, are led to the site's own addresses. A link that leads nowhere ends the build.
 */
import { dirname, join, relative } from "node:path";
import { defineConfig, type DefaultTheme } from "vitepress";
import { anchorOf } from "./anchors.ts";

const ROOT = join(import.meta.dirname, "../..");
const REWRITES = {
  "README.md": "index.md",
  "CHANGELOG.md": "changelog.md",
  "docs/:page.md": ":page.md",
  "clients/:name/README.md": "clients/:name.md",
  "deploy/:name/README.md": "deploy/:name.md",
  "src/dialects/:name/README.md": "dialects/:name.md",
  "src/transports/:name/README.md": "transports/:name.md",
  "src/engines/:name/README.md": "engines/:name.md",
} as const;

type Items = readonly (readonly [text: string, page: string])[];
const group = (text: string, items: Items): DefaultTheme.SidebarItem => ({
  text,
  items: items.map(([name, page]) => ({ text: name, link: `/${page}` })),
});

export const site = defineConfig({
  title: "Carillon",
  description: "A realtime push server: your backend pushes, browsers and devices receive at once.",
  lang: "en",
  srcDir: ROOT,
  srcExclude: ["**/node_modules/**", "{test,bench,dist,lib,web,scripts}/**"],
  rewrites: REWRITES,
  outDir: join(ROOT, "dist/docs"),
  head: [["link", { rel: "icon", href: "data:," }]],
  cacheDir: join(ROOT, "node_modules/.vitepress"),
  markdown: {
    anchor: { slugify: anchorOf },
    config: (markdown) => {
      markdown.core.ruler.push("site-links", ({ tokens, env }) => {
        const { realPath, path } = env as { readonly realPath?: string; readonly path: string };
        for (const token of tokens.flatMap(({ children }) => children ?? [])) {
          const href = token.type === "link_open" ? token.attrGet("href") : null;
          if (href === null) continue;
          const target = targetOf(href, realPath ?? path);
          if (target === undefined) token.attrs = [];
          else token.attrSet("href", target);
        }
      });
    },
  },
  themeConfig: {
    search: { provider: "local" },
    outline: [2, 3],
    sidebar: [
      group("Start", [
        ["First push", "index"],
        ["Connect a browser", "connect-a-browser"],
        ["Push from a backend", "push-from-a-backend"],
        ["Sign a token", "sign-a-token"],
      ]),
      group("Tasks", [
        ["Go live", "go-live"],
        ["Size a machine", "sizing"],
        ["Back up and restore", "backup"],
        ["Receive a webhook", "receive-a-webhook"],
        ["Find a missed message", "why-did-my-client-not-get-it"],
        ["Look at a running server", "admin"],
        ["Check it from outside", "doctor"],
        ["Load it", "bench"],
        ["Move from Centrifugo", "moving-from-centrifugo"],
        ["Move from gusher", "moving-from-gusher"],
        ["Move from Pusher", "moving-from-pusher"],
      ]),
      group("Concepts", [
        ["What Carillon is", "concepts"],
        ["How it is built", "ARCHITECTURE"],
      ]),
      group("Reference", [
        ["Streaming", "streaming"],
        ["Events", "events"],
        ["Webhooks", "webhooks"],
        ["gusher", "gusher"],
        ["Sora", "sora"],
        ["Tasks", "tasks"],
        ["Messaging", "messaging"],
        ["Messaging's messages", "messaging-messages"],
        ["Operations", "operations"],
        ["Redis", "redis"],
        ["Configuration", "configuration"],
        ["Errors", "errors"],
        ["Benchmarks", "benchmarks"],
        ["Changes", "changelog"],
      ]),
    ],
  },
});

/** The address on the site; undefined: a file of the repository that is no page, of which the text remains. */
function targetOf(href: string, from: string): string | undefined {
  if (/^(?:[a-z]+:|#|\/)/i.test(href)) return href;
  const [path = "", hash = ""] = href.split(/(?=#)/);
  if (!path.endsWith(".md")) return undefined;
  const file = relative(ROOT, join(dirname(from), path));
  for (const [pattern, to] of Object.entries(REWRITES)) {
    const names = new RegExp(
      `^${pattern.replaceAll(".", "\\.").replace(/:(\w+)/, "(?<$1>[^/]+)")}$`,
    );
    const found = names.exec(file);
    if (found === null) continue;
    const [[key, name] = ["", ""]] = Object.entries(found.groups ?? {});
    return `/${to.replace(`:${key}`, name)}${hash}`;
  }
  return `/${file}${hash}`;
}

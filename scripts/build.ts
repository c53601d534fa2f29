/**
 * `npm run build` makes one file of the server, `prepack` the compiled modules of the package. Both have the pages of `web/` in them,
 * ready to be served.
 */
import { readdirSync } from "node:fs";
import { join, resolve } from "node:path";
import type { BunPlugin } from "bun";
import { bundlePage } from "../src/pages/bundle.ts";
import type { PageFile } from "../src/pages/page.ts";

const ROOT = join(import.meta.dir, "..");
const BUNDLER = join(ROOT, "src/pages/bundle.ts");
/** What pages have in common: no page. */
const SHARED = "shared";

/** In place of the module that bundles: one that has the pages. */
function withPages(pages: Readonly<Record<string, readonly PageFile[]>>): BunPlugin {
  const texts = JSON.stringify(
    Object.fromEntries(
      Object.entries(pages).map(([name, files]) => [
        name,
        files.map((file) => ({ ...file, gzip: Buffer.from(file.gzip).toString("base64") })),
      ]),
    ),
  );
  return {
    name: "pages",
    setup(build) {
      build.onLoad({ filter: new RegExp(`^${RegExp.escape(BUNDLER)}$`) }, () => ({
        loader: "js",
        contents: `const PAGES = ${texts};
export async function bundlePage(name) {
  return PAGES[name].map((file) => ({ ...file, gzip: Buffer.from(file.gzip, "base64") }));
}`,
      }));
    },
  };
}

async function allPages(): Promise<Record<string, readonly PageFile[]>> {
  const folders = readdirSync(join(ROOT, "web"), { withFileTypes: true })
    .filter((entry) => entry.isDirectory() && entry.name !== SHARED)
    .map(({ name }) => name);
  return Object.fromEntries(
    await Promise.all(folders.map(async (name) => [name, await bundlePage(name)] as const)),
  );
}

/** `file`: the one file to make; absent: the package's modules, in `lib`. */
async function build(file: string | undefined): Promise<void> {
  const into =
    file === undefined ? { outdir: join(ROOT, "lib") } : { compile: { outfile: resolve(file) } };
  await Bun.build({
    entrypoints: [join(ROOT, "src/cli/main.ts")],
    target: "bun",
    format: "cjs",
    bytecode: true,
    minify: { syntax: true, whitespace: true },
    plugins: [withPages(await allPages())],
    ...into,
  });
}

await build(process.argv[2]);

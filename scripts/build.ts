/**
 * `npm run build` makes one file of the server, `prepack` the compiled modules of the package. Both have the pages of `web/` in them,
 * ready to be served; the file has WebRTC's native part for the platform that it is made on as well.
 */
import { readdirSync } from "node:fs";
import { join, resolve } from "node:path";
import { Glob, type BunPlugin } from "bun";
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

/** In place of the search for the native part that its package makes at run time. */
function withWebRtc(): BunPlugin {
  // npm installs the platform's own alone.
  const [addon] = new Glob("node_modules/@node-datachannel/*/node_datachannel.node").scanSync({
    ...{ cwd: ROOT, absolute: true, followSymlinks: true },
  });
  if (addon === undefined) {
    throw new Error('node-datachannel has no binary here: run "npm ci" with optional packages');
  }
  return {
    name: "native-webrtc",
    setup(build) {
      const search = /node-datachannel[\\/]dist[\\/]esm[\\/]lib[\\/]node-datachannel\.mjs$/;
      build.onLoad({ filter: search }, () => ({
        loader: "js",
        contents: `export default require(${JSON.stringify(addon)});`,
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
  const pages = withPages(await allPages());
  const into =
    file === undefined
      ? { outdir: join(ROOT, "lib"), plugins: [pages] }
      : { compile: { outfile: resolve(file) }, plugins: [pages, withWebRtc()] };
  await Bun.build({
    entrypoints: [join(ROOT, "src/cli/main.ts")],
    target: "bun",
    format: "cjs",
    bytecode: true,
    minify: { syntax: true, whitespace: true },
    ...into,
  });
}

await build(process.argv[2]);

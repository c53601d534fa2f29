/**
 * Makes a page of its sources in `web/`, in a checkout and when the server is built. What is built has the finished pages in this
 * module's place (`scripts/build.ts`): it is imported lazily, and by nothing else.
 */
import { join } from "node:path";
import type { PageFile } from "./page.ts";

const SOURCES = join(import.meta.dir, "../../web");

/** `name`: the folder in `web/`, whose `index.html` is the page. Its other files are to be served below `<name>/` beside it. */
export async function bundlePage(name: string): Promise<readonly PageFile[]> {
  const built = await Bun.build({
    entrypoints: [join(SOURCES, name, "index.html")],
    target: "browser",
    splitting: true,
    minify: true,
    // What libraries of other surroundings look at.
    define: { "process.env.NODE_ENV": '"production"', global: "globalThis" },
    naming: {
      entry: "[name].[ext]",
      chunk: `${name}/[name]-[hash].[ext]`,
      asset: `${name}/[name]-[hash].[ext]`,
    },
  });
  return Promise.all(
    built.outputs.map(async (output) => ({
      name: output.path === "./index.html" ? "" : output.path.slice(`./${name}/`.length),
      type: output.type.replace(";charset", "; charset"),
      gzip: Bun.gzipSync(new Uint8Array(await output.arrayBuffer())),
    })),
  );
}

/**
 * What goes into the package and into the single files: the server with the pages of `web/` ready to be served, and for a file the
 * native parts of the platform that it is for, as npm installs them there.
 */
import { readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { Glob, type BunPlugin } from "bun";
import { bundlePage } from "../src/pages/bundle.ts";
import type { PageFile } from "../src/pages/page.ts";

export const ROOT = join(import.meta.dir, "..");
const BUNDLER = join(ROOT, "src/pages/bundle.ts");
/** What pages have in common: no page. */
const SHARED = "shared";

/** Loaded by `require` where few need them, so that the bundler would not part them from the rest. */
const ON_DEMAND = ["pino-pretty", "protobufjs", "re2js", "yaml"];

/** Finds its native part beside itself, and so stays where npm installs it. */
const WEBRTC = "node-datachannel";

/** The package's modules, in `lib`. Outside of a file Bun compiles no ES modules, and parts no others: so parts are made of them first. */
export async function buildPackage(): Promise<void> {
  const { plugins, ...common } = await server();
  const parts = join(ROOT, "lib/parts");
  try {
    const { outputs } = await Bun.build({
      ...{ ...common, plugins: [...plugins, onDemand], bytecode: false, outdir: parts },
      external: [WEBRTC],
    });
    const compile = {
      ...{ ...common, format: "cjs" as const, splitting: false, outdir: join(ROOT, "lib") },
      // What Bun calls `require` in an ES module.
      define: { "import.meta.require": "require" },
    };
    await Bun.build({
      ...{ ...compile, entrypoints: outputs.map(({ path }) => path), naming: "[name].js" },
      external: ["./*", WEBRTC],
    });
    for (const name of ON_DEMAND) {
      const entrypoints = [Bun.resolveSync(name, ROOT)];
      await Bun.build({ ...compile, entrypoints, naming: `${name}.js` });
    }
  } finally {
    rmSync(parts, { recursive: true });
  }
}

const onDemand: BunPlugin = {
  name: "on-demand",
  setup(build) {
    build.onResolve({ filter: new RegExp(`^(?:${ON_DEMAND.join("|")})$`) }, ({ path }) => ({
      ...{ path: `./${path}.js`, external: true },
    }));
  },
};

export interface SingleFile {
  readonly outfile: string;
  /** The `node_modules` of its platform. */
  readonly packages: string;
  /** Another platform, whose Bun is among `packages`. Default: the one that this runs on, with the Bun that runs this. */
  readonly target?: Bun.Build.CompileTarget;
}

export async function buildFile({ outfile, packages, target }: SingleFile): Promise<void> {
  const { plugins, ...common } = await server();
  // Without a path Bun would fetch its program for a target from a place of its own, which no lock file covers.
  const other =
    target === undefined
      ? {}
      : { target, executablePath: onlyFile(packages, "@oven/bun-*/bin/bun") };
  await Bun.build({
    ...common,
    plugins: [...plugins, withWebRtc(packages)],
    compile: { outfile, ...other },
  });
}

async function server() {
  return {
    entrypoints: [join(ROOT, "src/cli/main.ts")],
    target: "bun",
    format: "esm",
    // In parts, since what a server does not load takes neither time nor memory.
    splitting: true,
    bytecode: true,
    minify: { syntax: true, whitespace: true },
    plugins: [withPages(await allPages()), withoutUnused],
  } satisfies Bun.BuildConfig;
}

/** Of the packages for the platforms npm installs the one that fits. */
function onlyFile(packages: string, pattern: string): string {
  const [file] = new Glob(pattern).scanSync({
    cwd: packages,
    absolute: true,
    followSymlinks: true,
  });
  if (file === undefined) {
    throw new Error(`No ${pattern} in ${packages}: run "npm ci" with optional packages`);
  }
  return file;
}

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

/** What prom-client loads `node:http` and OpenTelemetry for, and pino the threads of its transports. */
const withoutUnused: BunPlugin = {
  name: "unused",
  setup(build) {
    const unused =
      /(?:prom-client[\\/]lib[\\/](?:cluster|defaultMetrics|pushgateway)|pino[\\/]lib[\\/]transport)\.js$/;
    build.onLoad({ filter: unused }, () => ({ loader: "js", contents: "" }));
  },
};

/** In place of the search for the native part that its package makes at run time. */
function withWebRtc(packages: string): BunPlugin {
  const addon = onlyFile(packages, "@node-datachannel/*/node_datachannel.node");
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

/**
 * `npm run build:binary [-- TARGET…]`: one file of the server for each platform, `dist/carillon-linux-x64` and so on, made on any of them.
 * Bun and WebRTC's native part of another platform are npm's packages, at the versions and checksums of `package-lock.json`.
 */
import { copyFileSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { buildFile, ROOT } from "./server-bundle.ts";

interface Platform {
  readonly os: NodeJS.Platform;
  readonly cpu: NodeJS.Architecture;
  readonly libc?: "glibc";
}

const TARGETS = {
  "linux-x64": { os: "linux", cpu: "x64", libc: "glibc" },
  "linux-arm64": { os: "linux", cpu: "arm64", libc: "glibc" },
  "darwin-arm64": { os: "darwin", cpu: "arm64" },
} as const satisfies Record<string, Platform>;
type Target = keyof typeof TARGETS;

const isTarget = (name: string): name is Target => Object.hasOwn(TARGETS, name);

async function buildTarget(target: Target): Promise<void> {
  const directory = mkdtempSync(join(tmpdir(), "carillon-build-"));
  try {
    for (const name of ["package.json", "package-lock.json"]) {
      copyFileSync(join(ROOT, name), join(directory, name));
    }
    await install(directory, TARGETS[target]);
    const outfile = join(ROOT, "dist", `carillon-${target}`);
    const packages = join(directory, "node_modules");
    await buildFile({ outfile, packages, target: `bun-${target}` });
    console.log(outfile);
  } finally {
    rmSync(directory, { recursive: true });
  }
}

async function install(cwd: string, platform: Platform): Promise<void> {
  const flags = Object.entries(platform).map(([name, value]) => `--${name}=${value}`);
  const child = Bun.spawn(
    ["npm", "ci", "--omit=dev", "--ignore-scripts", "--no-audit", "--no-fund", ...flags],
    { cwd, stdout: "ignore", stderr: "inherit" },
  );
  if ((await child.exited) !== 0) throw new Error(`npm ci ${flags.join(" ")} failed`);
}

const named = process.argv.slice(2);
const unknown = named.find((name) => !isTarget(name));
if (unknown !== undefined) {
  console.error(`Unknown target "${unknown}": name some of ${Object.keys(TARGETS).join(", ")}`);
  process.exit(2);
}
const targets = named.length === 0 ? Object.keys(TARGETS) : named;
for (const target of targets.filter(isTarget)) await buildTarget(target);

/** A program that tests need: from the system's packages where it is missing and that may be done (root and apt-get). */
import { existsSync, rmSync, writeFileSync } from "node:fs";

const POLICY = "/usr/sbin/policy-rc.d";
/** Both rows of tests may need something at once, and apt-get fails where another one runs. */
const IN_TURN = Bun.which("flock") === null ? [] : ["flock", "/tmp/carillon-apt-get.lock"];

export interface Needed {
  /** For the message: "redis-server 7 or later". */
  readonly what: string;
  /** Where it is now; undefined: nowhere. */
  readonly find: () => string | undefined;
  /** Debian's name of it. */
  readonly aptPackage: string;
  /** How else to get it: `macOS: "brew install redis"`. */
  readonly elsewhere: string;
}

/** The program's path. Throws an Error with one line that says what to install. */
export function needProgram({ what, find, aptPackage, elsewhere }: Needed): string {
  const there = find();
  if (there !== undefined) return there;
  const trouble = (reason: string) => new Error(`The tests need ${what} on the path: ${reason}`);
  const aptGet = Bun.which("apt-get");
  if (aptGet === null || process.getuid?.() !== 0) {
    const howTo = `install it (Debian, Ubuntu: "apt-get install ${aptPackage}"; ${elsewhere})`;
    throw trouble(howTo);
  }
  console.error(`Installing ${aptPackage} for the tests`);
  const failure = install(aptGet, aptPackage);
  if (failure !== undefined) throw trouble(failure);
  const installed = find();
  if (installed === undefined) throw trouble("apt-get installed none");
  return installed;
}

/** What stood in the way. */
function install(aptGet: string, aptPackage: string): string | undefined {
  // The package's own service is not to run: Debian asks this file before it starts one.
  const policy = !existsSync(POLICY);
  if (policy) writeFileSync(POLICY, "#!/bin/sh\nexit 101\n", { mode: 0o755 });
  try {
    for (const args of [["update"], ["install", "--yes", "--no-install-recommends", aptPackage]]) {
      const { exitCode, stderr } = Bun.spawnSync([...IN_TURN, aptGet, "--quiet", ...args], {
        env: { ...process.env, DEBIAN_FRONTEND: "noninteractive" },
        stdout: "ignore",
      });
      if (exitCode !== 0) {
        const reason = stderr.toString().trim().split("\n").at(-1) ?? "";
        return `"apt-get ${args.join(" ")}" ended with ${exitCode}: ${reason}`;
      }
    }
  } finally {
    if (policy) rmSync(POLICY);
  }
  return undefined;
}

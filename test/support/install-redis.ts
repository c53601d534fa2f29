/**
 * Before any test: a `redis-server` is on the path. Where it is missing, it comes from the system's packages if this
 * may be done (root and apt-get); otherwise the run ends with one line. Nothing is skipped for want of it.
 */
import { existsSync, rmSync, writeFileSync } from "node:fs";

const POLICY = "/usr/sbin/policy-rc.d";

if (Bun.which("redis-server") === null) {
  const trouble = install();
  if (trouble !== undefined) {
    console.error(`The tests need redis-server 7 or later on the path: ${trouble}`);
    process.exit(1);
  }
}

/** What stands in the way. */
function install(): string | undefined {
  const aptGet = Bun.which("apt-get");
  if (aptGet === null || process.getuid?.() !== 0) {
    return 'install it (Debian, Ubuntu: "apt-get install redis-server"; macOS: "brew install redis")';
  }
  console.error("Installing redis-server for the tests");
  // The package's own service is not to run: Debian asks this file before it starts one.
  const policy = !existsSync(POLICY);
  if (policy) writeFileSync(POLICY, "#!/bin/sh\nexit 101\n", { mode: 0o755 });
  try {
    for (const args of [
      ["update"],
      ["install", "--yes", "--no-install-recommends", "redis-server"],
    ]) {
      const { exitCode, stderr } = Bun.spawnSync([aptGet, "--quiet", ...args], {
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
  return Bun.which("redis-server") === null ? "apt-get installed none" : undefined;
}

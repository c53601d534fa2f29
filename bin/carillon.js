#!/usr/bin/env node
/**
 * The command as npm installs it: runs under any Node and hands over to the Bun of the dependency `bun`. It works where npm was
 * not allowed to run that package's install script, too.
 */
import { spawn } from "node:child_process";
import { existsSync, statSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

/** Without its install script the package holds a text of a few hundred bytes in place of the program. */
const PROGRAM_BYTES_MIN = 1_000_000;

/** The path of Bun's program; undefined when its packages for this platform are not there. */
function findBun() {
  const require = createRequire(import.meta.url);
  const folderOf = (name, from = require) => {
    try {
      return dirname(from.resolve(`${name}/package.json`));
    } catch {
      return undefined;
    }
  };
  const bun = folderOf("bun");
  if (bun === undefined) return undefined;
  const installed = join(bun, "bin", "bun.exe");
  if (existsSync(installed) && statSync(installed).size > PROGRAM_BYTES_MIN) return installed;
  const { platform, arch } = process;
  const system = platform === "win32" ? "windows" : platform;
  const musl = platform === "linux" && !process.report.getReport().header.glibcVersionRuntime;
  const name = `@oven/bun-${system}-${arch === "arm64" ? "aarch64" : arch}${musl ? "-musl" : ""}`;
  const folder = folderOf(name, createRequire(join(bun, "package.json")));
  const program = join(folder ?? bun, "bin", platform === "win32" ? "bun.exe" : "bun");
  return existsSync(program) ? program : undefined;
}

function run() {
  const bun = findBun();
  if (bun === undefined) {
    console.error(
      'carillon: Bun for this platform is not installed: install again, with optional packages ("npm install --include=optional") [bun_missing]',
    );
    process.exit(1);
  }
  const here = dirname(fileURLToPath(import.meta.url));
  // A package brings its modules compiled, which start in half the time.
  const compiled = join(here, "../lib/main.js");
  const main = existsSync(compiled) ? compiled : join(here, "../src/cli/main.ts");
  const args = [main, ...process.argv.slice(2)];
  if (process.execve !== undefined && process.platform !== "win32") {
    // This process becomes that one, so that signals need nobody to pass them on. Newer versions of Node alone have it, and warn of it.
    process.removeAllListeners("warning");
    process.execve(bun, [bun, ...args], process.env);
  }
  const child = spawn(bun, args, { stdio: "inherit" });
  for (const signal of ["SIGTERM", "SIGINT", "SIGHUP"]) {
    process.on(signal, () => {
      // Ctrl-C reaches both processes of a terminal, and twice would mean at once.
      if (signal !== "SIGINT" || !process.stdin.isTTY) child.kill(signal);
    });
  }
  child.on("error", (error) => {
    console.error(`carillon: Bun cannot be run: ${error.message} [bun_missing]`);
    process.exit(1);
  });
  child.on("exit", (code, signal) => {
    if (signal === null) process.exit(code ?? 1);
    process.removeAllListeners(signal);
    process.kill(process.pid, signal);
  });
}

run();

/**
 * Before any test: a `redis-server` is on the path. Where it is missing and cannot be installed, the run ends with one line. Nothing is
 * skipped for want of it.
 */
import { needProgram } from "./install-package.ts";

try {
  needProgram({
    what: "redis-server 7 or later",
    find: () => Bun.which("redis-server") ?? undefined,
    aptPackage: "redis-server",
    elsewhere: 'macOS: "brew install redis"',
  });
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exit(1);
}

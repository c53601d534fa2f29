/** `package-lock.json`, by which `npm ci` installs the same everywhere: on every platform, and from wherever the caller's registry is. */
import { expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import manifest from "../../package.json" with { type: "json" };

const versions = z.record(z.string(), z.string()).optional();
const lockFile = z.object({
  packages: z.record(
    z.string(),
    z.object({
      version: z.string().optional(),
      resolved: z.string().optional(),
      integrity: z.string().optional(),
      dependencies: versions,
      devDependencies: versions,
      optionalDependencies: versions,
    }),
  ),
});
const { packages } = lockFile.parse(
  JSON.parse(readFileSync(join(import.meta.dir, "../../package-lock.json"), "utf8")),
);

/** Where Node would find `name` from the folder of `from`; undefined: nowhere. */
function find(from: string, name: string): string | undefined {
  const path = `${from === "" ? "" : `${from}/`}node_modules/${name}`;
  if (path in packages) return path;
  if (from === "") return undefined;
  return find(from.slice(0, Math.max(0, from.lastIndexOf("/node_modules/"))), name);
}

test("whatever a package may need on some platform is there, with a version and a checksum", () => {
  const missing = Object.entries(packages).flatMap(([path, { dependencies, ...more }]) =>
    Object.keys({ ...dependencies, ...more.optionalDependencies })
      .filter((name) => {
        const found = packages[find(path, name) ?? ""];
        return found?.version === undefined || found.integrity === undefined;
      })
      .map((name) => `${path} needs ${name}`),
  );
  expect(missing).toEqual([]);
  // The runtime and the tools bring one package for each platform.
  for (const name of ["bun", "oxlint", "oxfmt", "typescript"]) {
    const { optionalDependencies = {} } = packages[`node_modules/${name}`] ?? {};
    expect(Object.keys(optionalDependencies).length).toBeGreaterThan(3);
  }
});

test("it is of this package.json", () => {
  const root = packages[""];
  expect(root?.dependencies).toEqual(manifest.dependencies);
  expect(root?.devDependencies).toEqual(manifest.devDependencies);
});

test("no registry but the public one is named", () => {
  const hosts = Object.values(packages).flatMap(({ resolved }) =>
    resolved === undefined ? [] : [new URL(resolved).origin],
  );
  expect(hosts.filter((host) => host !== "https://registry.npmjs.org")).toEqual([]);
});

test("the published steps install by it", () => {
  const read = (name: string) => readFileSync(join(import.meta.dir, "../..", name), "utf8");
  for (const name of [".ci/run", "README.md", "Dockerfile"]) {
    expect(read(name)).toMatch(/\bnpm ci\b/);
    expect(read(name)).not.toMatch(/\bnpm (?:install|i)(?: --omit=dev)?(?: &&|$)/m);
  }
});

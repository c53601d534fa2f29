/** What the numbers were taken on, and which cores serve and load. */
import { existsSync, readFileSync } from "node:fs";
import { cpus, release, totalmem } from "node:os";
import packageJson from "../../package.json" with { type: "json" };

export function machine(): string {
  const [cpu] = cpus();
  const parts = [
    `${cpus().length} × ${cpu?.model.trim() ?? "unknown CPU"}`,
    `${Math.round(totalmem() / 2 ** 30)} GB`,
    `Linux ${release()}`,
    placement() === undefined ? "not pinned" : "server on one core, load on another",
  ];
  return parts.join(", ");
}

export function versions(): string {
  const parts = [
    `Carillon ${packageJson.version} (${commit()})`,
    `Bun ${Bun.version}`,
    ...centrifugoVersion(),
  ];
  return parts.join(", ");
}

/** As the toolchain wrote it into the binary, since what it prints of itself depends on how it was built. */
function centrifugoVersion(): string[] {
  const binary = process.env["CENTRIFUGO_BIN"];
  if (binary === undefined || !existsSync(binary)) return [];
  const bytes = readFileSync(binary);
  const at = bytes.indexOf("mod\tgithub.com/centrifugal/centrifugo/");
  const [, , version] = at < 0 ? [] : bytes.toString("latin1", at, at + 200).split(/[\t\n]/);
  return [`Centrifugo ${version ?? "of an unknown version"} (\`GOMAXPROCS=1\`)`];
}

/** The cores to use, where there is `taskset` and more than one. */
export function placement():
  | { readonly server: string; readonly load: string; readonly both: string }
  | undefined {
  if (Bun.which("taskset") === null) return undefined;
  const [server, ...load] = allowedCores();
  if (server === undefined || load.length === 0) return undefined;
  return { server: `${server}`, load: load.join(","), both: [server, ...load].join(",") };
}

/** From `/proc`, since a container may have some of the machine's only. */
function allowedCores(): number[] {
  const { stdout } = Bun.spawnSync(["taskset", "-c", "-p", `${process.pid}`]);
  const list = stdout.toString().split(":").at(-1)?.trim() ?? "";
  return list.split(",").flatMap((part) => {
    const [first = 0, last = first] = part.split("-").map(Number);
    return Array.from({ length: last - first + 1 }, (_, index) => first + index);
  });
}

function commit(): string {
  const git = (...args: string[]) =>
    Bun.spawnSync(["git", ...args], { cwd: import.meta.dir })
      .stdout.toString()
      .trim();
  const head = git("rev-parse", "--short", "HEAD");
  const changed = git("status", "--porcelain", "--", "../../src") !== "";
  return `${head || "no commit"}${changed ? " with changes" : ""}`;
}

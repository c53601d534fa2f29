/** What `Dockerfile` says of the image, for tests without an engine for containers. */
import { readFileSync } from "node:fs";
import { join } from "node:path";

const DOCKERFILE = join(import.meta.dir, "../../Dockerfile");

/** Of the last stage, each instruction on one line. */
function instructions(): readonly string[] {
  const text = readFileSync(DOCKERFILE, "utf8").replaceAll("\\\n", " ");
  const lines = text.split("\n").filter((line) => /^[A-Z]+ /.test(line));
  return lines.slice(lines.findLastIndex((line) => line.startsWith("FROM ")));
}

function instruction(name: string): string {
  const line = instructions().find((each) => each.startsWith(`${name} `));
  if (line === undefined) throw new Error(`The Dockerfile has no ${name}`);
  return line.slice(name.length + 1);
}

export function imageEnvironment(): Record<string, string> {
  const pairs = instruction("ENV").split(" ");
  return Object.fromEntries(pairs.map((pair) => pair.split("=") as [string, string]));
}

/** The words of HEALTHCHECK's command, which no shell sees. */
export function healthCommand(): readonly string[] {
  const [, words = ""] = /CMD (\[.+\])$/.exec(instruction("HEALTHCHECK")) ?? [];
  return JSON.parse(words) as string[];
}

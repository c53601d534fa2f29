/** What is thrown at a start or by a command ends with its word. What keeps a server from starting: `test/hardening/startup.test.ts`. */
import { expect, test } from "bun:test";
import { loadConfig } from "../dialects/configuration.ts";
import { createEngine } from "../engines/choose.ts";
import { createLogger } from "../operations/log.ts";
import { systemRuntime } from "../system-runtime.ts";
import { START_WORDS, StartError } from "../core/start-error.ts";
import { allErrors } from "./errors.ts";
import { CommandError, failureLines, USAGE } from "./failure.ts";

test("a Redis that is away is waited for, and the log has its word", async () => {
  const line = Promise.withResolvers<string>();
  const destination = { write: (text: string) => line.resolve(text) };
  const log = createLogger({ level: "debug", format: "json", destination });
  const redis = { url: "redis://127.0.0.1:1", prefix: "carillon" };
  const config = { ...loadConfig({ env: {} }), engine: "redis", redis } as const;
  const engine = await createEngine({ config, log, runtime: systemRuntime, onBug: console.error });
  const starting = engine.start().catch(() => "closed");
  expect(JSON.parse(await line.promise)).toMatchObject({
    ...{ word: "redis_unreachable", msg: "Redis at 127.0.0.1:1 is away: connection refused" },
  });
  await engine[Symbol.asyncDispose]();
  expect(await starting).toBe("closed");
});

test("whatever is thrown ends with a word, and each of them is explained", async () => {
  const known = new Set((await allErrors()).map(({ word }) => word));
  expect(Object.keys(START_WORDS).filter((word) => !known.has(word))).toEqual([]);
  const file = Object.assign(new Error("EACCES: x"), { errno: -13, path: "x", code: "EACCES" });
  const thrown = [
    new CommandError("a", USAGE),
    new StartError("disk_full", "b"),
    file,
    new Error("c"),
    "d",
  ];
  const lines = thrown.flatMap(failureLines);
  expect(lines).toEqual([
    "carillon: a [command_usage]",
    "carillon: b [disk_full]",
    "carillon: EACCES: x [file_unusable]",
    "carillon: c [command_failed]",
    "carillon: d [command_failed]",
  ]);
  expect(lines.every((line) => known.has(/\[(\w+)\]$/.exec(line)?.[1] ?? ""))).toBe(true);
});

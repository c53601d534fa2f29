import { PassThrough } from "node:stream";
import { expect, test } from "bun:test";
import { createLogger } from "./log.ts";

function logged(options: { level: "info" | "warn"; format: "auto" | "json" | "pretty" }): string {
  const destination = new PassThrough({ encoding: "utf8" });
  const log = createLogger({ ...options, destination });
  log.info({ dialect: "streaming" }, "Connected");
  log.warn("Slow");
  const chunks: string[] = [];
  for (let chunk: unknown; typeof (chunk = destination.read()) === "string";) chunks.push(chunk);
  return chunks.join("");
}

test("createLogger() writes one line of JSON per event where there is no terminal", () => {
  for (const format of ["auto", "json"] as const) {
    const [first, second] = logged({ level: "info", format }).trim().split("\n");
    expect(JSON.parse(first ?? "")).toEqual({
      level: 30,
      time: expect.stringMatching(/^\d{4}-.*Z$/),
      dialect: "streaming",
      msg: "Connected",
    });
    expect(JSON.parse(second ?? "")).toMatchObject({ level: 40, msg: "Slow" });
  }
});

test("createLogger() leaves out what is below its level", () => {
  expect(logged({ level: "warn", format: "json" })).not.toContain("Connected");
});

test("createLogger() writes for people when told to", () => {
  expect(logged({ level: "info", format: "pretty" })).toMatch(
    /INFO: Connected\s+dialect: "streaming"/,
  );
});

/**
 * `<data directory> <durability> [<boot id>]`: publishes to an embedded engine until it is killed, and prints one line
 * per answer: epoch, offset, and what was published. Waits for the pipe, so that it never runs far ahead of its reader.
 */
import { createEmbeddedEngine } from "../../src/engines/embedded/index.ts";
import { systemRuntime } from "../../src/system-runtime.ts";
import { compactJson } from "../../src/core/json-text.ts";

const [, , dataDir, durability, bootId] = process.argv;
const engine = createEmbeddedEngine({
  dataDir,
  durability: durability === "full" ? "full" : "normal",
  bootId: () => bootId,
  runtime: systemRuntime,
});
await engine.start();
const { broker, records } = engine.app("app");
const history = { size: 1_000_000, ttlMs: 3_600_000, metaTtlMs: 3_600_000 };
const channel = { space: "channels", name: "room" };

for (let number = 1; ; number += 16) {
  const batch = Array.from({ length: 16 }, async (_, index) => {
    const text = `${number + index}`;
    const [position] = await Promise.all([
      broker.publish(channel, { data: { json: compactJson(text) } }, { history }),
      records.put("last", text),
    ]);
    return `${position?.epoch} ${position?.offset} ${text}\n`;
  });
  const lines = await Promise.all(batch);
  await new Promise((resolve) => process.stdout.write(lines.join(""), resolve));
}

/** `<data directory>`: an embedded engine on a disk that takes no writes. Prints what it says of itself, reads and refuses. */
import { createEmbeddedEngine } from "../../src/engines/embedded/index.ts";
import { systemRuntime } from "../../src/system-runtime.ts";

const [, , dataDir] = process.argv;
const engine = createEmbeddedEngine({ dataDir, durability: "normal", runtime: systemRuntime });
await engine.start();
const { broker, records } = engine.app("app");
const page = await broker.history({ space: "channels", name: "room" }, { limit: 10 }, 600_000);
const put = await records.put("k", "new").then(
  () => "put",
  ({ code }: { readonly code: string }) => code,
);
const told = {
  health: await engine.health(),
  publications: page.publications.length,
  record: (await records.get("k"))?.value,
  put,
};
await engine[Symbol.asyncDispose]();
process.stdout.write(JSON.stringify(told));

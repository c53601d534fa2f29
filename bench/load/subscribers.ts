/** A load process that subscribes, for benchmarks: `src/bench/load/subscribers.ts`. */
import { runSubscribers } from "../../src/bench/load/subscribers.ts";

await runSubscribers();

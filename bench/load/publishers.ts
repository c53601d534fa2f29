/** A load process that publishes, for benchmarks: `src/bench/load/publishers.ts`. */
import { runPublishers } from "../../src/bench/load/publishers.ts";

await runPublishers();

/** Several workers or nodes as one: started and stopped together. */
import cluster from "node:cluster";
import { join } from "node:path";
import type { BaseConfig } from "../config/schema.ts";
import { StartError } from "../core/start-error.ts";
import type { Runtime } from "../core/runtime.ts";
import type { WorkerSlot, WorkerUrls } from "./worker-slot.ts";

/** In a bundle there is but one module, which runs a worker's part in a worker. */
const WORKER = import.meta.path.endsWith("slots.ts")
  ? join(import.meta.dirname, "worker.ts")
  : process.argv[1];
/** What a process gets beyond the time that its own stop may take, before it is killed. */
const STOP_GRACE_MS = 5_000;

/**
 * Resolves with the first one's addresses once all serve. Rejects with one clear sentence when one cannot; none runs then. The first one
 * starts alone, so that what is wrong for all is told once. One call per process, as `node:cluster` has it.
 */
export async function startSlots(slots: readonly WorkerSlot[]): Promise<WorkerUrls> {
  cluster.setupPrimary({ ...(WORKER === undefined ? {} : { exec: WORKER }), args: [] });
  const [first, ...others] = slots;
  if (first === undefined) throw new Error("No process is left to start");
  try {
    const urls = await first.start();
    await Promise.all(others.map((slot) => slot.start()));
    return urls;
  } catch (error) {
    for (const slot of slots) slot.kill();
    await Promise.all(slots.map((slot) => slot.stop()));
    throw error;
  }
}

/** Has every one drain, and resolves once all have ended. Rejects when one had to be killed. */
export async function stopSlots(
  slots: readonly WorkerSlot[],
  { config, runtime }: { readonly config: BaseConfig; readonly runtime: Runtime },
): Promise<void> {
  const killed: number[] = [];
  const kill = runtime.timers.after(config.shutdown.timeout + STOP_GRACE_MS, () => {
    for (const slot of slots) if (slot.kill()) killed.push(slot.number);
  });
  await Promise.all(slots.map((slot) => slot.stop()));
  kill.cancel();
  if (killed.length > 0) {
    const message = `Processes did not stop in time and were killed: ${killed.join(", ")}`;
    throw new StartError("process_ended", message);
  }
}

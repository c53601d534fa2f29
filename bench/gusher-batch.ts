/**
 * gusher's largest batch: `npx bun bench/gusher-batch.ts`.
 * A form of 10 MiB with as many items as it may have, each to a channel of its own; for how long a turn of the event loop takes meanwhile.
 */
import { startCarillon } from "./harness/carillon.ts";
import { main } from "./harness/main.ts";
import type { Bench } from "./harness/round.ts";
import { WATCHED_SERVER, watched } from "./harness/watched.ts";

const FORM_BYTES = 10 * 1024 * 1024;
const ITEMS = 10_000;
const ROW = { name: "gusher's batch of 10 MiB, longest turn", unit: "ms", budget: { value: 10 } };
const TIMES = 3;

export const benchGusherBatch: Bench = {
  name: "gusher-batch",
  async take(round) {
    const start = () => startCarillon({ program: WATCHED_SERVER });
    await round.each([{ name: "Carillon", side: "own", start }], async (target, { side }) => {
      const { host, port } = target.publishing ?? {};
      const body = form();
      const push = async () => {
        const headers = { "Content-Type": "application/x-www-form-urlencoded" };
        const url = `http://${host}:${port}/gusher/push_batch/bench`;
        const answer = await fetch(url, { method: "POST", headers, body });
        if (!answer.ok) throw new Error(`The batch was answered ${answer.status}`);
        return (await answer.json()) as { total: number };
      };
      // A server that just started compiles its code meanwhile.
      for (let time = 1; time < TIMES; time += 1) await push();
      const { result, turns } = await watched(target.process, async () => {
        // Behind its answer the server has begun to watch.
        await (await fetch(`http://${host}:${port}/health`)).text();
        return await push();
      });
      if (result.total !== ITEMS) throw new Error(`${result.total} items were pushed`);
      round.add(ROW, side, { value: turns.cpuMs.max });
    });
  },
};

function form(): string {
  const bytesEach = Math.floor((FORM_BYTES - 1000) / ITEMS);
  const items = Array.from({ length: ITEMS }, (_, index) => {
    const item = `{"channel":"c${index}","event":"e","data":"@"}`;
    return item.replace("@", "x".repeat(bytesEach - item.length));
  });
  return `batch_data=[${items.join(",")}]`;
}

if (import.meta.main) await main([benchGusherBatch]);

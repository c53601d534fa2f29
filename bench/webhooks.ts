/**
 * Webhooks: `npx bun bench/webhooks.ts`, about four minutes.
 * Deliveries a second to a local receiver, each accepted, stored, signed, sent and recorded, beside bare requests from the same
 * process; and 10,000 endpoints at a steady pace, with 100 of them that never answer and without.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { main } from "./harness/main.ts";
import type { BenchOptions } from "./harness/options.ts";
import { bun, ChildProcess } from "./harness/processes.ts";
import { atMost, median, ratio, type BenchResult } from "./harness/report.ts";
import type { SenderAnswer, SenderCommand } from "./load/webhook-sender.ts";

const FLOOD_ENDPOINTS = 200;
const OUTSTANDING = 500;
const ENDPOINTS = 10_000;
const HANGING = 100;
const PER_SECOND = 100;
/** A request that hangs is cut after 15, so it lasts from slice to slice. */
const SLICE_SECONDS = 5;
/** webhooks.md §12, 21. */
const P95_RATIO_MAX = 1.1;

export async function benchWebhooks({ runs, quick }: BenchOptions): Promise<BenchResult> {
  const flooded: number[] = [];
  const floor: number[] = [];
  // Taken in turns, so that what else the machine does meets both alike.
  const calm: SenderAnswer[] = [];
  const hanging: SenderAnswer[] = [];
  const endpoints = quick ? ENDPOINTS / 10 : ENDPOINTS;
  for (let run = 0; run < runs; run += 1) {
    await using receiver = new ChildProcess(bun("load/webhook-receiver.ts"), { on: "load" });
    const { port } = await receiver.line<{ port: number }>();
    const url = `http://127.0.0.1:${port}`;
    const messages = quick ? 5_000 : 20_000;
    await withSender(async (ask) => {
      const work = { messages, outstanding: OUTSTANDING };
      await ask({ do: "prepare", url, endpoints: FLOOD_ENDPOINTS, aside: 0, hang: false });
      await ask({ do: "flood", ...work, messages: 2_000 });
      flooded.push((await ask({ do: "flood", ...work })).perSecond ?? Number.NaN);
      floor.push((await ask({ do: "floor", url, ...work })).perSecond ?? Number.NaN);
    });
    const prepare = { do: "prepare", url, endpoints, aside: HANGING } as const;
    const pace = { do: "pace", perSecond: PER_SECOND, seconds: SLICE_SECONDS } as const;
    await withSender(async (askCalm) => {
      await askCalm({ ...prepare, hang: false });
      await withSender(async (askHanging) => {
        await askHanging({ ...prepare, hang: true });
        for (let slice = 0; slice <= (quick ? 2 : 6); slice += 1) {
          const answers = [await askCalm(pace), await askHanging(pace)] as const;
          // The first is for warming up, and for the requests that hang to be there.
          if (slice === 0) continue;
          calm.push(answers[0]);
          hanging.push(answers[1]);
        }
      });
    });
  }
  const p95 = (answers: readonly SenderAnswer[]) => answers.map(({ p95Ms = Number.NaN }) => p95Ms);
  const missing = (answers: readonly SenderAnswer[]) =>
    answers.reduce((sum, answer) => sum + (answer.missing ?? 0), 0);
  const times = median(p95(hanging)) / median(p95(calm));
  return {
    title: "Webhooks on one core, 280 B",
    measurements: [
      {
        ...{ what: `Deliveries, ${FLOOD_ENDPOINTS} endpoints, ${OUTSTANDING} outstanding` },
        ...{ unit: "deliveries/s", runs: flooded, ofFloor: ratio(flooded, floor) },
      },
      { what: "Bare node:http requests", unit: "requests/s", runs: floor },
      {
        what: `p95 at ${PER_SECOND} messages/s, ${endpoints} endpoints`,
        ...{ unit: "ms", runs: p95(calm), missing: missing(calm) },
      },
      {
        what: `p95 with ${HANGING} of them that never answer`,
        ...{ unit: "ms", runs: p95(hanging), missing: missing(hanging) },
        budget: atMost(`${P95_RATIO_MAX} × without (is ${times.toFixed(2)})`, times, P95_RATIO_MAX),
      },
    ],
    notes: [
      "Latency: from the moment a message is due to be accepted until its delivery is recorded.",
    ],
  };
}

async function withSender(
  work: (ask: (command: SenderCommand) => Promise<SenderAnswer>) => Promise<void>,
): Promise<void> {
  const root = mkdtempSync(join(tmpdir(), "carillon-bench-"));
  try {
    await using sender = new ChildProcess(bun("load/webhook-sender.ts", join(root, "data")), {
      on: "server",
    });
    await work((command) => sender.ask<SenderAnswer>(command));
  } finally {
    rmSync(root, { recursive: true, force: true });
  }
}

if (import.meta.main) await main(benchWebhooks);

/**
 * Webhooks: `npx bun bench/webhooks.ts`.
 * Deliveries a second to a local receiver, each accepted, stored, signed, sent and recorded, beside bare requests from the same
 * process; and 10,000 endpoints at a steady pace, with 100 of them that never answer and without.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { main } from "./harness/main.ts";
import { bun, ChildProcess } from "./harness/processes.ts";
import { median } from "./harness/records.ts";
import type { Bench } from "./harness/round.ts";
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

const FLOOD = {
  name: `webhooks, ${FLOOD_ENDPOINTS} endpoints, ${OUTSTANDING} outstanding`,
  unit: "µs/delivery",
};
const PACED = { name: `webhooks, p95 with ${HANGING} endpoints that never answer`, unit: "ms" };

export const benchWebhooks: Bench = {
  name: "webhooks",
  floor:
    "the same requests, signed and sent, with nothing kept; for p95 the same without those endpoints",
  async take(round) {
    await using receiver = new ChildProcess(bun("load/webhook-receiver.ts"), { on: "load" });
    const { port } = await receiver.line<{ port: number }>();
    const url = `http://127.0.0.1:${port}`;
    const messages = round.quick ? 2_000 : 10_000;
    await withSender(async (ask) => {
      const work = { messages, outstanding: OUTSTANDING };
      const each = ({ perSecond = Number.NaN }: SenderAnswer) => ({ value: 1e6 / perSecond });
      await ask({ do: "prepare", url, endpoints: FLOOD_ENDPOINTS, aside: 0, hang: false });
      await ask({ do: "flood", ...work, messages: 2_000 });
      round.add(FLOOD, "own", each(await ask({ do: "flood", ...work })));
      round.add(FLOOD, "floor", each(await ask({ do: "floor", url, ...work })));
    });
    const endpoints = round.quick ? ENDPOINTS / 10 : ENDPOINTS;
    const prepare = { do: "prepare", url, endpoints, aside: HANGING } as const;
    const pace = { do: "pace", perSecond: PER_SECOND, seconds: SLICE_SECONDS } as const;
    // Taken in turns, so that what else the machine does meets both alike.
    const found: SenderAnswer[] = [];
    const calm: SenderAnswer[] = [];
    await withSender(async (askCalm) => {
      await askCalm({ ...prepare, hang: false });
      await withSender(async (askHanging) => {
        await askHanging({ ...prepare, hang: true });
        for (let slice = 0; slice <= (round.quick ? 1 : 3); slice += 1) {
          const answers = [await askCalm(pace), await askHanging(pace)] as const;
          // The first is for warming up, and for the requests that hang to be there.
          if (slice === 0) continue;
          calm.push(answers[0]);
          found.push(answers[1]);
        }
      });
    });
    for (const [side, answers] of [
      ["own", found],
      ["floor", calm],
    ] as const) {
      const value = median(answers.map(({ p95Ms = Number.NaN }) => p95Ms));
      const missing = answers.reduce((sum, answer) => sum + (answer.missing ?? 0), 0);
      round.add({ ...PACED, budget: { ofFloor: P95_RATIO_MAX } }, side, { value, missing });
    }
  },
};

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

if (import.meta.main) await main([benchWebhooks]);

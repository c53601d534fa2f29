import { expect, test } from "bun:test";
import { createTestRuntime } from "../../test/support/runtime.ts";
import type { ToWorker } from "./messages.ts";
import { createScrapes } from "./scrapes.ts";

function setUp(ready: readonly boolean[]) {
  const runtime = createTestRuntime();
  const asked: { readonly worker: number; readonly request: number }[] = [];
  const slots = ready.map((serves, at) => ({
    number: at + 1,
    ready: serves,
    restarts: at,
    send(message: ToWorker) {
      if (message.type === "measure") asked.push({ worker: at + 1, request: message.request });
    },
  }));
  return { runtime, asked, scrapes: createScrapes(slots, runtime.timers) };
}

const samples = (text: string) => text.split("\n").filter((line) => /^[^#]/.test(line));
const OWN = [
  "carillon_workers 2",
  'carillon_worker_restarts_total{worker="1"} 0',
  'carillon_worker_restarts_total{worker="2"} 1',
  'carillon_worker_restarts_total{worker="3"} 2',
];

test("a scrape asks those that serve, and puts their answers in order behind its own numbers", async () => {
  const { runtime, asked, scrapes } = setUp([true, false, true]);
  const scraping = scrapes.scrape();
  expect(asked.map(({ worker }) => worker)).toEqual([1, 3]);
  const request = asked[0]!.request;
  scrapes.measured(request, 3, 'a{worker="3"} 3\n');
  scrapes.measured(request, 1, 'a{worker="1"} 1\n');
  expect(samples(await scraping)).toEqual([...OWN, 'a{worker="1"} 1', 'a{worker="3"} 3']);
  expect(runtime.pendingTimers).toBe(0);
});

test("a worker that does not answer in two seconds is left out, and its late answer too", async () => {
  const { runtime, asked, scrapes } = setUp([true, false, true]);
  const scraping = scrapes.scrape();
  scrapes.measured(asked[0]!.request, 1, 'a{worker="1"} 1\n');
  let done = false;
  void scraping.then(() => (done = true));
  await runtime.advance(1_999);
  expect(done).toBe(false);
  await runtime.advance(1);
  expect(samples(await scraping)).toEqual([...OWN, 'a{worker="1"} 1']);
  const next = scrapes.scrape();
  scrapes.measured(asked[0]!.request, 3, "late 1\n");
  const { request } = asked.at(-1)!;
  for (const worker of [1, 3]) scrapes.measured(request, worker, `a{worker="${worker}"} 2\n`);
  expect(samples(await next)).toEqual([...OWN, 'a{worker="1"} 2', 'a{worker="3"} 2']);
});

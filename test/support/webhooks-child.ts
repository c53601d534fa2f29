/**
 * `<data directory> <receiver's URL> <messages>`: a sender on an embedded engine until it is killed. The first run, which finds no
 * endpoint, makes a plain and an ordered one and accepts so many messages, printing each id once it is accepted; every run prints
 * `started`, delivers what is left, and prints `quiet` when nothing is.
 */
import { ksuid } from "../../src/core/ksuid.ts";
import { createEmbeddedEngine } from "../../src/engines/embedded/index.ts";
import { allowingNetworks } from "../../src/outbound/addresses.ts";
import { systemRuntime } from "../../src/system-runtime.ts";
import { createWebhooks } from "../../src/webhooks/index.ts";

const OWNER = { organisationId: "org_1", applicationId: "app_1" };
const SHARE = 20;

const [, , dataDir, url = "", messages] = process.argv;
const runtime = systemRuntime;
const engine = createEmbeddedEngine({ dataDir, durability: "normal", runtime });
await engine.start();
const { records, queue } = engine.app("app");
let left = 0;
const webhooks = createWebhooks({
  ...{ records, queue, runtime },
  // What sealing keeps secret is another test's.
  sealing: { seal: (text) => text, open: (text) => text },
  settings: {
    ...{ allowHttp: true, allowHosts: [], denyPorts: [], ownHosts: [] },
    ...{ scheduleMs: [100, 100, 100, 100, 100], retentionMs: 86_400_000, requestsMax: 100 },
  },
  policy: { allowAddress: allowingNetworks(["127.0.0.0/8"]) },
  onError: (error) => console.error(error),
  observer: { attempted: () => void tellWhenQuiet() },
});

function print(line: string): Promise<void> {
  return new Promise((resolve) => void process.stdout.write(`${line}\n`, () => resolve()));
}

async function tellWhenQuiet(): Promise<void> {
  const { data } = await webhooks.endpoints.list(OWNER, { limit: 10 });
  const pending = await Promise.all(
    data.map(
      async ({ id }) =>
        (await webhooks.endpoints.stats(OWNER, id, { sinceMs: runtime.clock.epochMs() })).pending,
    ),
  );
  const now = pending.reduce((sum, count) => sum + count, 0);
  if (now === 0 && left !== 0) await print("quiet");
  left = now;
}

await webhooks.start();
const { data } = await webhooks.endpoints.list(OWNER, { limit: 10 });
left = 1;
await print("started");
if (data.length === 0) {
  for (const ordered of [false, true]) {
    const path = ordered ? "ordered" : "plain";
    await webhooks.endpoints.create(OWNER, { url: `${url}/${path}`, ordered, rateLimit: 1000 });
  }
  for (let number = 0; number < Number(messages); number += SHARE) {
    const share = Array.from({ length: SHARE }, async (_, index) => {
      const id = `msg_${ksuid(runtime)}`;
      const message = { ...OWNER, id, eventType: "order.paid", channels: [] };
      await webhooks.accept({ ...message, body: `{"number":${number + index}}` });
      return print(id);
    });
    await Promise.all(share);
  }
  await print("accepted");
}
await tellWhenQuiet();

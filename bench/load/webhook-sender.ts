/**
 * The webhooks of one app on the embedded engine, in a process of their own: `<data directory>`. Reads one JSON command per line and
 * answers each with one line.
 */
import { request } from "node:http";
import { createHmac } from "node:crypto";
import { ksuid } from "../../src/core/ksuid.ts";
import { createEmbeddedEngine } from "../../src/engines/embedded/index.ts";
import { allowingNetworks } from "../../src/outbound/addresses.ts";
import { createConnections } from "../../src/outbound/connections.ts";
import { systemRuntime } from "../../src/system-runtime.ts";
import { createWebhooks } from "../../src/webhooks/index.ts";
import { SCHEDULE_MS } from "../../src/webhooks/verdict.ts";
import { readLines } from "../../src/bench/load/lines.ts";

export type SenderCommand =
  /** Endpoints, of which the first `aside` are not measured, and never answer if so told; 50 to an application, each with an event type of its own. */
  | {
      readonly do: "prepare";
      readonly url: string;
      readonly endpoints: number;
      readonly aside: number;
      readonly hang: boolean;
    }
  /** So many messages to one endpoint each, at most `outstanding` accepted and not yet delivered. */
  | { readonly do: "flood"; readonly messages: number; readonly outstanding: number }
  /** So many messages a second to endpoints taken in turn, and one a second to each of those aside. */
  | { readonly do: "pace"; readonly perSecond: number; readonly seconds: number }
  /** The same requests without anything kept: signed, sent, answered. */
  | {
      readonly do: "floor";
      readonly url: string;
      readonly messages: number;
      readonly outstanding: number;
    };

export interface SenderAnswer {
  readonly perSecond?: number;
  /** From the moment that a message was due to be accepted until its delivery was recorded, of endpoints that answer. */
  readonly p50Ms?: number;
  readonly p95Ms?: number;
  readonly missing?: number;
}

const PER_APPLICATION = 50;
const CREATED_AT_ONCE = 100;
const BODY = `{"type":"order.paid","timestamp":"2026-01-05T10:00:00.000Z","data":{"id":"${"x".repeat(200)}"}}`;

const [, , dataDir] = process.argv;
const engine = createEmbeddedEngine({ dataDir, durability: "normal", runtime: systemRuntime });
await engine.start();
const { records, queue } = engine.app("app");
/** By message: what its delivery's record ends. */
const waiting = new Map<string, () => void>();
const webhooks = createWebhooks({
  ...{ records, queue, runtime: systemRuntime },
  sealing: { seal: (text) => text, open: (text) => text },
  settings: {
    ...{ allowHttp: true, allowHosts: [], denyPorts: [], ownHosts: [] },
    ...{ scheduleMs: SCHEDULE_MS, retentionMs: 86_400_000, requestsMax: 2_000 },
  },
  policy: { allowAddress: allowingNetworks(["127.0.0.0/8"]) },
  onError: (error) => console.error(error),
  observer: { attempted: ({ messageId }) => waiting.get(messageId)?.() },
});
await webhooks.start();
let count = 0;
let aside = 0;

const ownerOf = (index: number) => {
  const number = Math.floor(index / PER_APPLICATION);
  return { organisationId: `org_${number}`, applicationId: `app_${number}` };
};

async function prepare(command: Extract<SenderCommand, { do: "prepare" }>): Promise<SenderAnswer> {
  ({ endpoints: count, aside } = command);
  for (let from = 0; from < count; from += CREATED_AT_ONCE) {
    const share = Array.from({ length: Math.min(CREATED_AT_ONCE, count - from) }, (_, index) => {
      const number = from + index;
      const path = command.hang && number < aside ? "hang" : "ok";
      return webhooks.endpoints.create(ownerOf(number), {
        ...{ url: `${command.url}/${path}/${number}`, rateLimit: 1_000 },
        eventTypes: [`bench.n${number}`],
      });
    });
    await Promise.all(share);
  }
  return {};
}

/** Resolves once it was delivered. */
async function send(index: number): Promise<void> {
  const id = `msg_${ksuid(systemRuntime)}`;
  const { promise, resolve } = Promise.withResolvers<void>();
  waiting.set(id, resolve);
  const message = { ...ownerOf(index), id, eventType: `bench.n${index}`, channels: [] };
  await webhooks.accept({ ...message, body: BODY });
  await promise;
  waiting.delete(id);
}

async function flood(
  { messages, outstanding }: { readonly messages: number; readonly outstanding: number },
  work: (index: number) => Promise<void>,
): Promise<SenderAnswer> {
  const startMs = performance.now();
  let next = 0;
  const lane = async () => {
    while (next < messages) await work(next++);
  };
  await Promise.all(Array.from({ length: outstanding }, lane));
  return { perSecond: messages / ((performance.now() - startMs) / 1000) };
}

async function pace(command: Extract<SenderCommand, { do: "pace" }>): Promise<SenderAnswer> {
  const { perSecond, seconds } = command;
  const latencies: number[] = [];
  const total = perSecond * seconds;
  const startMs = performance.now();
  let answered = 0;
  const under: Promise<void>[] = [];
  for (let sent = 0; sent < total;) {
    const dueMs = startMs + (sent / perSecond) * 1000;
    if (performance.now() < dueMs) {
      await new Promise<void>((resolve) => setTimeout(resolve, 1));
      continue;
    }
    // A stride without a common factor meets every endpoint that answers before it meets one again.
    const index = aside + ((sent * 7_919) % (count - aside));
    under.push(
      send(index).then(() => {
        answered += 1;
        latencies.push(performance.now() - dueMs);
      }),
    );
    if (aside > 0 && sent % Math.floor(perSecond / aside) === 0) {
      send(Math.floor(sent / Math.floor(perSecond / aside)) % aside).catch(() => {});
    }
    sent += 1;
  }
  await Promise.all(under);
  latencies.sort((a, b) => a - b);
  const quantile = (share: number) =>
    latencies[Math.ceil(latencies.length * share) - 1] ?? Number.NaN;
  return { p50Ms: quantile(0.5), p95Ms: quantile(0.95), missing: total - answered };
}

const connections = createConnections({ idleMax: 1_000, idleMs: 4_000 });

function bare(url: string): Promise<void> {
  const { hostname: host, port, pathname: path } = new URL(url);
  const id = `msg_${ksuid(systemRuntime)}`;
  const signature = createHmac("sha256", "k")
    .update(`${id}.${Date.now()}.${BODY}`)
    .digest("base64");
  return new Promise((resolve, reject) => {
    const headers = { "webhook-id": id, "webhook-signature": `v1,${signature}` };
    const outgoing = request({
      host,
      port,
      path,
      method: "POST",
      headers,
      agent: connections.plain,
    });
    outgoing.on("error", reject);
    outgoing.on("response", (response) => response.resume().on("end", resolve));
    outgoing.end(BODY);
  });
}

await readLines(Bun.stdin.stream(), (line) => {
  const command = line as SenderCommand;
  const run = (): Promise<SenderAnswer> => {
    switch (command.do) {
      case "prepare":
        return prepare(command);
      case "flood":
        return flood(command, (index) => send(index % count));
      case "pace":
        return pace(command);
      case "floor":
        return flood(command, () => bare(`${command.url}/ok`));
    }
  };
  run().then(
    (answer) => console.log(JSON.stringify(answer)),
    (error: unknown) => {
      console.error(error);
      process.exit(1);
    },
  );
});

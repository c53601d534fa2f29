/** The lanes of all endpoints that this node delivers to, and who delivers to what where there are several nodes. */
import { createHash } from "node:crypto";
import type { TakenJob } from "../core/engine.ts";
import type { Timer } from "../core/runtime.ts";
import { WEBHOOK_LIMITS } from "./contract.ts";
import type { WebhooksContext } from "./context.ts";
import type { Deliver, Delivered } from "./deliver.ts";
import type { EndpointStore, StoredEndpoint } from "./endpoint-store.ts";
import { Lane, type LaneTarget } from "./lane.ts";
import type { Outbox } from "./outbox.ts";
import { Slots } from "./slots.ts";

export interface LanesParts {
  readonly endpoints: EndpointStore;
  readonly outbox: Outbox;
  readonly deliverer: Deliver;
}

/** How often nodes look who is there and which endpoints are new: what another node made waits this long at the most. */
const LOOK_MS = 2_000;

export function createLanes(context: WebhooksContext, parts: LanesParts) {
  const { runtime, settings, cluster, onError } = context;
  const { endpoints, outbox, deliverer } = parts;
  const slots = new Slots(settings.requestsMax);
  const lanes = new Map<string, { readonly lane: Lane; updatedAtMs: number }>();
  let nodes: readonly string[] = cluster === undefined ? [] : [cluster.self];
  /** Requests in flight, also of lanes that are gone. */
  const underWay = new Map<
    TakenJob,
    { readonly target: LaneTarget; readonly ended: Promise<unknown> }
  >();
  let open = false;
  let ended = false;
  let looking: Timer | undefined;

  /** Each endpoint is one node's: its limits hold over all of them. While nodes come and go two may have it; leases keep them apart. */
  function isOurs(endpoint: string): boolean {
    if (cluster === undefined) return true;
    const weight = (node: string) =>
      createHash("sha256").update(`${node}/${endpoint}`).digest("hex");
    const ours = weight(cluster.self);
    return nodes.every((node) => node === cluster.self || weight(node) < ours);
  }

  function ensure({ applicationId, id, updatedAtMs }: StoredEndpoint): void {
    if (!open || lanes.has(id) || !isOurs(id)) return;
    const lane: Lane = new Lane({
      ...{ target: { applicationId, id }, runtime, outbox, slots },
      endpoint: () => endpoints.find(applicationId, id),
      deliver: (job) => track({ applicationId, id }, job),
      // What is still under way when this ends finds its engine closed; its job was given back.
      onError: (error, doing) => ended || onError(error, doing),
      onGone: () => drop(id),
    });
    lanes.set(id, { lane, updatedAtMs });
    lane.start().catch((error: unknown) => {
      onError(error, "watching an endpoint's queue");
      drop(id);
    });
  }

  function track(target: LaneTarget, job: TakenJob): Promise<Delivered> {
    const delivered = deliverer.deliver(target, job).finally(() => underWay.delete(job));
    underWay.set(job, { target, ended: delivered.catch(() => {}) });
    return delivered;
  }

  function drop(id: string): void {
    lanes.get(id)?.lane.close();
    lanes.delete(id);
  }

  async function ensureAll(): Promise<void> {
    for await (const page of endpoints.all()) {
      for (const endpoint of page) ensure(endpoint);
      // Each lane looks at its queue: a page of them per turn, so that a start with many holds nothing up.
      await new Promise<void>((resolve) => runtime.timers.soon(resolve));
    }
  }

  async function look(asked: NonNullable<WebhooksContext["cluster"]>): Promise<void> {
    const before = nodes;
    nodes = await asked.nodes();
    // Alone nothing happens behind its back.
    if (Math.max(nodes.length, before.length) < 2) return;
    for (const id of lanes.keys()) if (!isOurs(id)) drop(id);
    for await (const page of endpoints.all()) {
      for (const endpoint of page) {
        const known = lanes.get(endpoint.id);
        if (known === undefined) ensure(endpoint);
        else if (known.updatedAtMs !== endpoint.updatedAtMs) {
          // Another node enabled it, or changed its rate.
          known.updatedAtMs = endpoint.updatedAtMs;
          known.lane.wake();
        }
      }
    }
  }

  function lookLater(): void {
    if (cluster === undefined || !open) return;
    looking = runtime.timers.after(LOOK_MS, () => {
      look(cluster)
        .catch((error: unknown) => onError(error, "looking for endpoints"))
        .finally(lookLater);
    });
  }

  return {
    async start(): Promise<void> {
      open = true;
      if (cluster !== undefined) nodes = await cluster.nodes();
      await ensureAll();
      lookLater();
    },

    /** There is something for it: its lane, if it has one, hears of that by itself. */
    ensure,

    /** It changed. */
    wake(endpoint: StoredEndpoint): void {
      const known = lanes.get(endpoint.id);
      if (known === undefined) ensure(endpoint);
      else known.lane.wake();
    },

    drop,

    sends: (endpoint: string, messageId: string) =>
      lanes.get(endpoint)?.lane.sends(messageId) === true,

    stats() {
      const nowMs = runtime.clock.monotonicMs();
      let openBreakers = 0;
      let behindMs = 0;
      for (const { lane } of lanes.values()) {
        if (lane.breakerIsOpen) openBreakers += 1;
        else behindMs = Math.max(behindMs, nowMs - (lane.behindSinceMs ?? nowMs));
      }
      return { lanes: lanes.size, inFlight: slots.used, openBreakers, behindMs };
    },

    /** Lets requests in flight end, for a while, and gives the rest back. */
    async close(): Promise<void> {
      open = false;
      looking?.cancel();
      for (const { lane } of lanes.values()) lane.close();
      lanes.clear();
      await inTime(Promise.all([...underWay.values()].map((work) => work.ended)));
      ended = true;
      const nowMs = runtime.clock.epochMs();
      await Promise.all([...underWay].map(([job, { target }]) => outbox.retry(target, job, nowMs)));
    },
  };

  async function inTime(work: Promise<unknown>): Promise<void> {
    const late = Promise.withResolvers<void>();
    const timer = runtime.timers.after(WEBHOOK_LIMITS.closeMs, late.resolve);
    await Promise.race([work, late.promise]);
    timer.cancel();
  }
}

export type Lanes = ReturnType<typeof createLanes>;

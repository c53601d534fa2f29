/** A stop: what is new is refused, clients are told to reconnect spread over the time there is, what is under way comes to its end. */
import type { BaseConfig } from "../config/schema.ts";
import type { OwnedHub } from "../core/create-hub.ts";
import type { Runtime } from "../core/runtime.ts";
import type { Served } from "../dialects/dialect.ts";
import type { Logger } from "./log.ts";

/** Clients told per second to reconnect elsewhere, by all workers together: a drain's pace, as far as its time allows. */
const DRAIN_CLIENTS_PER_SECOND = 1_000;
/** The part of the shutdown time that may be spent on telling clients. */
const DRAIN_SHARE = 0.8;
/** What clients that lag get to read the rest, and the close behind it, once every client was told. */
const LAGGING_CLIENTS_MS = 1_000;

export interface StopOptions {
  /** Other processes serve the ports: what is new goes to them from the first moment. Default: it is refused with 503. */
  readonly othersServe?: boolean;
}

export interface DrainOptions extends StopOptions {
  readonly config: BaseConfig;
  readonly log: Logger;
  readonly runtime: Runtime;
  readonly clients: {
    stopAccepting(): void;
    stopListening(): void;
    sockets(): number;
    unsentBytes(): number;
    shutdown(): void;
    close(): Promise<void>;
  };
  readonly api: { endConnections(): void; close(): Promise<void>; cut(): void };
  readonly served: readonly Served[];
  readonly hubs: readonly OwnedHub[];
}

/** Resolves once both listeners are closed. */
export async function drain(options: DrainOptions): Promise<void> {
  const { config, log, runtime, clients, api, served, hubs, othersServe = false } = options;
  const { clock, timers } = runtime;
  if (othersServe) clients.stopListening();
  else clients.stopAccepting();
  // Callers turn to another connection, and so to another server, before this one closes under a call.
  api.endConnections();
  const leaving = othersServe ? api.close() : undefined;
  for (const dialect of served) dialect.stopping?.();
  const { timeout } = config.shutdown;
  const sockets = clients.sockets();
  const spreadMs = Math.min(
    timeout * DRAIN_SHARE,
    (sockets / (DRAIN_CLIENTS_PER_SECOND / config.workers)) * 1000,
  );
  log.info({ sockets, spreadMs: Math.round(spreadMs) }, "Draining");
  const closing = served.map(async (dialect) => dialect.close?.());
  const lagging = clients.unsentBytes() > 0;
  const cutAtMs = clock.monotonicMs() + timeout;
  await Promise.all(hubs.map((hub) => hub.drain(spreadMs)));
  // Those that were no connection of a hub yet when it began.
  clients.shutdown();
  if (lagging) await new Promise<void>((resolve) => timers.after(LAGGING_CLIENTS_MS, resolve));
  const leftMs = Math.max(0, cutAtMs - clock.monotonicMs());
  const cut = timers.after(leftMs, () => api.cut());
  await (leaving ?? api.close());
  cut.cancel();
  await clients.close();
  await Promise.all(closing);
  await Promise.all(served.map(async (dialect) => dialect.settle?.()));
}

/** Prometheus metrics: what is counted as it happens, and what the hubs and listeners tell when somebody scrapes. */
import { Counter, Gauge, Registry } from "prom-client";
import type { OwnedHub } from "../core/create-hub.ts";
import type { CounterName, Metrics } from "../core/metrics.ts";
import { createProcessLooks, type ProcessFacts } from "./process-facts.ts";
import { watchProcess } from "./process-metrics.ts";

const COUNTERS: Readonly<Record<CounterName, { help: string; labels: readonly string[] }>> = {
  connections_opened: { help: "Connections that were accepted", labels: ["dialect"] },
  connections_refused: { help: "Connections that were refused", labels: ["dialect", "word"] },
  commands: { help: "Commands from clients", labels: ["dialect", "method"] },
  command_errors: { help: "Commands answered with an error", labels: ["dialect", "code", "word"] },
  disconnects: {
    help: "Connections ended by the server, by close code",
    labels: ["dialect", "code", "word"],
  },
  api_requests: {
    help: "Server API calls; code 0 is success",
    labels: ["dialect", "method", "code", "word"],
  },
  publications: {
    help: "Publications accepted from clients and servers",
    labels: ["dialect", "by"],
  },
  webhook_attempts: { help: "Requests to webhook endpoints", labels: ["status"] },
  webhook_dead_letters: { help: "Deliveries given up", labels: ["reason"] },
  webhook_disabled: { help: "Endpoints disabled by the server", labels: ["reason"] },
  limits_hit: { help: "How often a limit was reached", labels: ["limit"] },
};

export const METRICS_CONTENT_TYPE = Registry.PROMETHEUS_CONTENT_TYPE;

export interface ServerMetrics extends Metrics {
  /** Reads the hub's numbers at each scrape. */
  watch(hub: OwnedHub): void;
  /** Reads the clients listener's numbers at each scrape. */
  watchListener(listener: WatchedListener): void;
  /** Reads one number at each scrape. */
  gauge(name: string, help: string, read: () => number): void;
  /** Reads one number for each value of a label at each scrape. */
  gaugeBy(label: string, gauge: GaugeBy): void;
  /** In Prometheus's text format. */
  scrape(): Promise<string>;
  /** What is shown of this process beside the metrics. `nowMs`: monotonic. */
  look(nowMs: number): ProcessFacts;
  /** Ends what measures the process. */
  close(): void;
}

interface GaugeBy {
  readonly name: string;
  readonly help: string;
  /** By the label's value. */
  read(): Readonly<Record<string, number>>;
}

export interface WatchedListener {
  sockets(): number;
  stats(): { readonly published: number; readonly lagging: number };
}

/** A registry of its own: two servers in one process do not add up. `worker` becomes a label of every series. */
export function createMetrics({ worker }: { readonly worker?: number } = {}): ServerMetrics {
  const registry = new Registry();
  if (worker !== undefined) registry.setDefaultLabels({ worker });
  const unwatch = watchProcess(registry);
  const counts = new Map<string, Counts>();
  for (const [name, { help, labels }] of Object.entries(COUNTERS)) {
    const counted: Counts = { value: 0, byValue: new Map() };
    counts.set(name, counted);
    new Counter({
      name: `carillon_${name}_total`,
      help,
      labelNames: labels,
      registers: [registry],
      collect() {
        this.reset();
        for (const [values, value] of leavesOf(counted, [])) {
          const given = labels.map((label, at) => [label, values[at] ?? ""] as const);
          // As Prometheus has it, an empty label is one that is not there.
          this.inc(Object.fromEntries(given.filter(([, text]) => text !== "")), value);
        }
      },
    });
  }
  const looks = createProcessLooks(() => mapCounters((name) => totalOf(counts.get(name))));
  const hubs: OwnedHub[] = [];
  const hubGauges = ["connections", "users", "channels", "subscriptions"] as const;
  for (const name of hubGauges) {
    new Gauge({
      name: `carillon_${name}`,
      help: `Present ${name} on this node`,
      labelNames: ["app"],
      registers: [registry],
      collect() {
        for (const hub of hubs) this.set({ app: hub.app }, hub.stats()[name]);
      },
    });
  }
  function gauge(name: string, help: string, read: () => number): void {
    new Gauge({
      name: `carillon_${name}`,
      help,
      registers: [registry],
      collect() {
        this.set(read());
      },
    });
  }
  function gaugeBy(label: string, given: GaugeBy): void {
    new Gauge({
      name: `carillon_${given.name}`,
      help: given.help,
      labelNames: [label],
      registers: [registry],
      collect() {
        for (const [value, number] of Object.entries(given.read()))
          this.set({ [label]: value }, number);
      },
    });
  }

  return {
    count(name, labels) {
      let counted = counts.get(name);
      if (counted === undefined) return;
      for (const label of COUNTERS[name].labels) counted = countsOf(counted, labels[label] ?? "");
      counted.value += 1;
    },
    watch: (hub) => void hubs.push(hub),
    watchListener(listener) {
      const stats = () => listener.stats();
      gauge("sockets", "Open sockets of clients", () => listener.sockets());
      const published = "Frames given to native groups since the start";
      gauge("group_publications", published, () => stats().published);
      gauge("lagging_sockets", "Sockets served from their own queue", () => stats().lagging);
    },
    gauge,
    gaugeBy,
    scrape: () => registry.metrics(),
    look: (nowMs) => looks.look(nowMs),
    close() {
      unwatch();
      looks.close();
    },
  };
}

/** What one label's value leads to; at the last label the value counts. A library's counter would make a text of all labels each time. */
interface Counts {
  value: number;
  readonly byValue: Map<string, Counts>;
}

function countsOf({ byValue }: Counts, value: string): Counts {
  let counts = byValue.get(value);
  if (counts === undefined) byValue.set(value, (counts = { value: 0, byValue: new Map() }));
  return counts;
}

function mapCounters<Value>(map: (name: CounterName) => Value): Record<CounterName, Value> {
  const names = Object.keys(COUNTERS) as CounterName[];
  return Object.fromEntries(names.map((name) => [name, map(name)])) as Record<CounterName, Value>;
}

function totalOf(counts: Counts | undefined): number {
  if (counts === undefined) return 0;
  return leavesOf(counts, [])
    .map(([, count]) => count)
    .reduce((sum, count) => sum + count, 0);
}

function* leavesOf(
  counts: Counts,
  values: readonly string[],
): Generator<readonly [values: readonly string[], count: number]> {
  if (counts.value > 0) yield [values, counts.value];
  for (const [value, more] of counts.byValue) yield* leavesOf(more, [...values, value]);
}

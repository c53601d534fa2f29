/** Nodes with what they use and do, looked at again and again while the page is in sight. */
import { useEffect, useState } from "preact/hooks";
import { messageOf, type Api } from "./api.ts";
import type { NodeRow } from "./rows.ts";
import { Sparkline } from "./sparkline.tsx";

const LOOK_MS = 2_000;
/** Looks that a chart shows: three minutes. */
const LOOKS_MAX = 90;

type Facts = NonNullable<NodeRow["process"]>;

interface Chart {
  readonly title: string;
  readonly of: (node: NodeRow, facts: Facts) => number;
  readonly text: (value: number) => string;
}

const perSecond = (title: string, name: string): Chart => ({
  ...{ title, of: (_, facts) => facts.per_second[name] ?? 0 },
  text: (value) => `${rounded(value)}/s`,
});

const CHARTS: readonly Chart[] = [
  { title: "Connections", of: ({ connections }) => connections, text: rounded },
  perSecond("Publications", "publications"),
  perSecond("API calls", "api_requests"),
  perSecond("Clients’ commands", "commands"),
  {
    ...{ title: "Event loop, p99", of: (_, facts) => facts.loop_delay_ms.p99 },
    text: (value) => `${rounded(value)} ms late`,
  },
  {
    ...{ title: "Engine, one read", of: (_, facts) => facts.engine_ms ?? 0 },
    text: (value) => `${rounded(value)} ms`,
  },
  {
    ...{ title: "Memory", of: (_, facts) => facts.memory_bytes / 2 ** 20 },
    text: (value) => `${rounded(value)} MiB`,
  },
  {
    ...{ title: "Processor", of: (_, facts) => facts.cpu * 100 },
    text: (value) => `${rounded(value)} % of a core`,
  },
];

/** By node, oldest first. */
type Looks = Readonly<Record<string, readonly NodeRow[]>>;

export function Nodes({ api }: { api: Api }) {
  const [looks, setLooks] = useState<Looks>({});
  const [trouble, setTrouble] = useState("");
  useEffect(() => {
    let timer: ReturnType<typeof setTimeout> | undefined;
    let over = false;
    async function look(): Promise<void> {
      if (!document.hidden) {
        try {
          const { data } = await api.get<{ data: readonly NodeRow[] }>("nodes", {});
          setLooks((before) => withLook(before, data));
          setTrouble("");
        } catch (error) {
          setTrouble(messageOf(error));
        }
      }
      if (!over) timer = setTimeout(() => void look(), LOOK_MS);
    }
    void look();
    return () => {
      over = true;
      clearTimeout(timer);
    };
  }, [api]);
  return (
    <>
      <p class="bad" role="status">
        {trouble}
      </p>
      {Object.entries(looks).map(([id, of]) => (
        <NodeCard key={id} looks={of} />
      ))}
    </>
  );
}

/** A node that is gone is not shown any more. */
function withLook(before: Looks, data: readonly NodeRow[]): Looks {
  return Object.fromEntries(
    data.map((node) => [node.id, [...(before[node.id] ?? []), node].slice(-LOOKS_MAX)]),
  );
}

function NodeCard({ looks }: { looks: readonly NodeRow[] }) {
  const node = looks.at(-1);
  if (node === undefined) return null;
  const { process: facts } = node;
  const { connections, users, channels, subscriptions } = node;
  return (
    <section class="card node" aria-label={`Node ${node.id}`}>
      <h2>
        <code>{node.id}</code>
      </h2>
      <p class="quiet">
        {facts === undefined
          ? "It did not answer in time."
          : `${facts.host}, process ${facts.pid}, version ${facts.version}`}
        , up {duration(node.uptime_ms)}
      </p>
      <p>
        {`${connections} connections of ${users} users, ${channels} channels, ${subscriptions} subscriptions`}
      </p>
      <div class="charts">
        {CHARTS.map(({ title, of, text }) => {
          const values = looks.flatMap((each) =>
            each.process === undefined ? [] : [of(each, each.process)],
          );
          const now = values.at(-1);
          return (
            <Sparkline
              key={title}
              title={title}
              values={values}
              now={now === undefined ? "–" : text(now)}
            />
          );
        })}
      </div>
    </section>
  );
}

function rounded(value: number): string {
  return value.toLocaleString(undefined, { maximumFractionDigits: value < 10 ? 1 : 0 });
}

function duration(ms: number): string {
  const minutes = Math.floor(ms / 60_000);
  if (minutes < 60) return `${minutes} min`;
  const hours = Math.floor(minutes / 60);
  return hours < 48 ? `${hours} h` : `${Math.floor(hours / 24)} days`;
}

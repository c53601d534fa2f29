/** Which nodes there are, what they use and do, and how late they are; and what this server is. */
import { hostname } from "node:os";
import { z } from "zod";
import type { AppEngine } from "../../core/engine.ts";
import { HubError } from "../../core/errors.ts";
import type { Clock } from "../../core/runtime.ts";
import { adminOperation, type AdminOperation } from "../../dialects/admin-operation.ts";
import { readOpenFilesMax } from "../open-files.ts";
import type { ProcessFacts } from "../process-facts.ts";
import { appOf, type AdminApp, type AdminContext } from "./context.ts";

/** By which nodes are asked for what the hub does not know of them. */
const SERVICE = "admin/node";

interface NodeFacts {
  readonly id: string;
  readonly version: string;
  readonly host: string;
  readonly pid: number;
  /** Absent: the engine is away. */
  readonly engineMs?: number;
  /** Absent: not known, or the node is of an earlier version. */
  readonly openFilesMax?: number;
  readonly process: ProcessFacts;
}

const count = z.int().min(0);
const number = z.number().min(0);

const nodeAnswer = z
  .strictObject({
    id: z.string(),
    uptime_ms: number,
    ...{ connections: count, users: count, channels: count, subscriptions: count },
    process: z
      .strictObject({
        ...{ version: z.string(), host: z.string(), pid: count },
        memory_bytes: count,
        cpu: number.describe("Of one core."),
        loop_delay_ms: z
          .strictObject({ p50: number, p99: number, max: number })
          .describe("How late the event loop was."),
        engine_ms: number
          .optional()
          .describe("How long the engine took for one read. Absent: it is away."),
        open_files_max: count
          .optional()
          .describe("Files and sockets that it may have open. Absent: its system does not say."),
        over_ms: count.describe(
          "Since the look before, at least a second ago: what `cpu`, `loop_delay_ms` and `per_second` are of. 0 at the first look, when they are 0 as well.",
        ),
        per_second: z
          .record(z.string(), number)
          .describe("By the names of the counters in `/metrics`, all apps together."),
      })
      .optional()
      .describe("Absent: the node did not answer in time."),
  })
  .meta({ title: "admin_node" });

export function nodeOperations(context: AdminContext): readonly AdminOperation[] {
  const { version, engineName, development, dialects, apps } = context;
  for (const app of apps.values()) app.hub.serve(SERVICE, () => factsOf(context, app));
  return [
    adminOperation({
      method: "GET",
      path: "server",
      summary: "What this server is",
      request: z.strictObject({}),
      answer: z.strictObject({
        ...{ version: z.string(), engine: z.string(), development: z.boolean() },
        node: z.string().describe("The id of the node that answers."),
        app: z.string().describe("The app that is shown."),
        apps: z.array(z.string()).describe("Those that the caller may ask for by `app`."),
        dialects: z.array(z.string()).describe("Those that are served."),
      }),
      async run(call) {
        const { hub } = appOf(context, call);
        return {
          ...{ version, engine: engineName, development, node: hub.nodeId, app: hub.app },
          apps: call.seesServer ? [...apps.keys()] : [hub.app],
          dialects: [...dialects],
        };
      },
    }),
    adminOperation({
      method: "GET",
      path: "nodes",
      summary: "All nodes: what is on them, what they use and do, and how late they are",
      request: z.strictObject({}),
      answer: z.strictObject({ data: z.array(nodeAnswer) }),
      async run(call) {
        const { hub } = appOf(context, call);
        const [nodes, answers] = await Promise.all([hub.nodes(), hub.ask(SERVICE, null)]);
        const facts = new Map((answers as NodeFacts[]).map((each) => [each.id, each]));
        const sorted = nodes.toSorted((a, b) => (a.id < b.id ? -1 : 1));
        return {
          data: sorted.map(({ id, uptimeMs, ...counts }) => {
            const own = facts.get(id);
            return {
              ...{ id, uptime_ms: Math.round(uptimeMs), ...counts },
              ...(own === undefined ? {} : { process: processView(own) }),
            };
          }),
        };
      },
    }),
  ];
}

function processView({ engineMs, openFilesMax, process: facts, ...node }: NodeFacts) {
  const { version, host, pid } = node;
  return {
    ...{ version, host, pid, memory_bytes: facts.memoryBytes, cpu: facts.cpu },
    loop_delay_ms: facts.loopDelayMs,
    ...(engineMs === undefined ? {} : { engine_ms: engineMs }),
    ...(openFilesMax === undefined ? {} : { open_files_max: openFilesMax }),
    ...{ over_ms: facts.overMs, per_second: facts.perSecond },
  };
}

async function factsOf(
  { version, runtime: { clock }, metrics }: AdminContext,
  { hub, engine }: AdminApp,
): Promise<NodeFacts> {
  const engineMs = await readMs(engine, clock);
  const openFilesMax = readOpenFilesMax();
  return {
    ...(openFilesMax === undefined ? {} : { openFilesMax }),
    ...{ id: hub.nodeId, version, host: hostname(), pid: process.pid },
    ...(engineMs === undefined ? {} : { engineMs }),
    process: metrics.look(clock.monotonicMs()),
  };
}

/** Of the way to the store and back: nothing is kept there. */
async function readMs({ records }: AppEngine, clock: Clock): Promise<number | undefined> {
  const startMs = clock.monotonicMs();
  try {
    await records.get(SERVICE);
  } catch (error) {
    if (error instanceof HubError) return undefined;
    throw error;
  }
  return Math.round((clock.monotonicMs() - startMs) * 1e3) / 1e3;
}

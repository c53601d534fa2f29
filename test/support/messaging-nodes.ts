/** Nodes that share what they keep, as the engine of the run has them, each of which may be stopped and started again. */
import type { Records } from "../../src/core/engine.ts";
import { systemRuntime } from "../../src/system-runtime.ts";
import { createTestEngine, TEST_ENGINE } from "./engine.ts";
import { until } from "./redis.ts";
import { bootServer, temporaryDir, type BootedServer } from "./server.ts";
import type { Random } from "./random.ts";

interface Node {
  readonly server: BootedServer;
  readonly records: Records;
}

export class MessagingNodes implements AsyncDisposable {
  readonly #nodes: Node[];
  readonly #boot: () => Promise<Node>;

  private constructor(nodes: Node[], boot: () => Promise<Node>) {
    this.#nodes = nodes;
    this.#boot = boot;
  }

  /** Two on Redis; embedded, where a data directory is one process's, one. */
  static async start(messaging: Readonly<Record<string, unknown>>): Promise<MessagingNodes> {
    const dataDir = temporaryDir();
    const boot = async (): Promise<Node> => {
      const engine = createTestEngine({ dataDir, runtime: systemRuntime });
      const config = { master_key: "33".repeat(32), messaging };
      const server = await bootServer({ engine, dataDir, runtime: systemRuntime, config });
      return { server, records: engine.app("dev").records };
    };
    const nodes = new MessagingNodes([], boot);
    for (let at = 0; at < (TEST_ENGINE === "redis" ? 2 : 1); at++) nodes.#nodes.push(await boot());
    await nodes.#acquainted();
    return nodes;
  }

  get servers(): readonly BootedServer[] {
    return this.#nodes.map(({ server }) => server);
  }

  get records(): Records {
    return this.#first.records;
  }

  get #first(): Node {
    const [first] = this.#nodes;
    if (first === undefined) throw new Error("There is no node");
    return first;
  }

  pick(random: Random): BootedServer {
    return random.pick(this.servers);
  }

  async restart(server: BootedServer): Promise<void> {
    const at = this.servers.indexOf(server);
    await server[Symbol.asyncDispose]();
    this.#nodes[at] = await this.#boot();
    await this.#acquainted();
  }

  async #acquainted(): Promise<void> {
    const all = this.#nodes.length;
    await until("the nodes know each other", async () => {
      const known = await Promise.all(this.servers.map(({ hub }) => hub.nodes()));
      return known.every(({ length }) => length === all);
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const { server } of this.#nodes) await server[Symbol.asyncDispose]();
  }
}

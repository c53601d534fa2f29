/** A server that can be put in the place of itself, as development mode's page has it done to show what a restart does to clients. */
import type { Endpoint } from "../operations/endpoints.ts";
import type { Ports } from "../workers/ports.ts";

export interface Running {
  readonly clientsUrl: string;
  readonly apiUrl: string;
  readonly endpoints: () => readonly Endpoint[];
  /** Where it is several nodes with ports of their own. */
  readonly nodes?: readonly { readonly clientsUrl: string; readonly apiUrl: string }[];
  stop(): Promise<void>;
}

export interface RestartableOptions {
  /** `ports`: those of the server before. Absent: as configured. `restart` is for the one that starts. */
  readonly start: (restart: () => void, ports?: Ports) => Promise<Running>;
  /** The next one could not start, and the one before it is gone. */
  readonly onFailure: (error: unknown) => void;
}

/** One restart at a time: what is asked for meanwhile is the same one. `stop` waits for it, and stops what it brings. */
export async function startRestartable({ start, onFailure }: RestartableOptions): Promise<Running> {
  let stopping = false;
  let restarting: Promise<void> | undefined;
  let server = await start(restart);

  function restart(): void {
    if (stopping) return;
    restarting ??= replace()
      .catch(onFailure)
      .finally(() => (restarting = undefined));
  }

  async function replace(): Promise<void> {
    const ports = { clients: portOf(server.clientsUrl), api: portOf(server.apiUrl) };
    await server.stop();
    if (!stopping) server = await start(restart, ports);
  }

  return {
    clientsUrl: server.clientsUrl,
    apiUrl: server.apiUrl,
    endpoints: server.endpoints,
    async stop() {
      stopping = true;
      await restarting;
      await server.stop();
    },
  };
}

function portOf(url: string): number {
  const { port, protocol } = new URL(url);
  return port === "" ? (protocol === "https:" ? 443 : 80) : Number(port);
}

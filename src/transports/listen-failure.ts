/** Why a listener could not be had, in one clear sentence; and whether it could. */
import { StartError } from "../core/start-error.ts";
import { createServer, isIP, type AddressInfo, type Server } from "node:net";

export interface ListenAddress {
  readonly hostname: string;
  /** 0: any free port. */
  readonly port: number;
}

/** Resolves once the server listens, on a port that it does not share; rejects with that sentence. */
export function listenAlone(server: Server, { hostname, port }: ListenAddress): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", (error: NodeJS.ErrnoException) => {
      reject(listenFailure(error, { hostname, port }));
    });
    server.listen({ host: hostname, port, exclusive: true }, () => resolve());
  });
}

/**
 * Listens on all of them for a moment, and tells the ports. Processes that are to share a port begin like this, since one that is
 * shared already would take them in without a word.
 */
export async function probePorts(addresses: readonly ListenAddress[]): Promise<number[]> {
  const servers: Server[] = [];
  try {
    for (const address of addresses) {
      const server = createServer();
      await listenAlone(server, address);
      servers.push(server);
    }
    return servers.map((server) => (server.address() as AddressInfo).port);
  } finally {
    await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
  }
}

/** With that sentence. What Bun makes of a name that does not resolve depends on the resolver: `EINVAL`, a busy port, or no code at all. */
export function listenFailure(cause: unknown, { hostname, port }: ListenAddress): StartError {
  const failed = (message: string) => new StartError("listen_failed", message, { cause });
  const code = cause instanceof Error && "code" in cause ? String(cause.code) : "";
  if (code === "EADDRNOTAVAIL") return failed(`"${hostname}" is not an address of this machine`);
  if (code === "EACCES") {
    return failed(`Listening on port ${port} of ${hostname} is not permitted`);
  }
  if (isIP(hostname) === 0 && !canListen(hostname)) {
    return failed(`"${hostname}" cannot be resolved to an address of this machine`);
  }
  if (code === "EADDRINUSE") {
    const message = `Port ${port} on ${hostname} is already in use`;
    return new StartError("port_in_use", message, { cause });
  }
  const detail = cause instanceof Error ? cause.message : String(cause);
  return failed(`Cannot listen on port ${port} of "${hostname}": ${detail}`);
}

/** Whether the name or what was asked of it is to blame. */
function canListen(hostname: string): boolean {
  try {
    Bun.listen({ hostname, port: 0, socket: { data() {} } }).stop(true);
    return true;
  } catch {
    return false;
  }
}

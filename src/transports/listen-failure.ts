/** Why a listener could not be had, in one clear sentence; and whether it could. */
import { createServer, type AddressInfo, type Server } from "node:net";

export interface ListenAddress {
  readonly hostname: string;
  /** 0: any free port. */
  readonly port: number;
}

/** Resolves once the server listens, on a port that it does not share; rejects with that sentence. */
export function listenAlone(server: Server, { hostname, port }: ListenAddress): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", (error: NodeJS.ErrnoException) => {
      reject(new Error(listenFailure(error, hostname, port), { cause: error }));
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

function listenFailure(error: NodeJS.ErrnoException, hostname: string, port: number): string {
  if (error.code === "EADDRINUSE") return `Port ${port} on ${hostname} is already in use`;
  if (error.code === "EACCES") return `Listening on port ${port} of ${hostname} is not permitted`;
  if (error.code === "EADDRNOTAVAIL") return `"${hostname}" is not an address of this machine`;
  return `Cannot listen on port ${port} of "${hostname}": ${error.message}`;
}

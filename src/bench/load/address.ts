/** Where load goes, and a bare connection there. */
import type { Socket, SocketHandler } from "bun";

export interface Address {
  /** As in a URL. */
  readonly host: string;
  readonly port: number;
  readonly tls?: boolean;
}

export function addressOf(url: URL): Address & { readonly path: string } {
  const tls = url.protocol === "https:" || url.protocol === "wss:";
  const port = url.port === "" ? (tls ? 443 : 80) : Number(url.port);
  return { host: url.hostname, port, path: url.pathname + url.search, tls };
}

/** Rejects when it cannot be reached. */
export function connectTo<Data>(
  { host, port, tls = false }: Address,
  data: Data,
  socket: SocketHandler<Data>,
): Promise<Socket<Data>> {
  const hostname = host.replace(/^\[(.*)\]$/, "$1");
  return Bun.connect<Data>({ hostname, port, tls, data, socket });
}

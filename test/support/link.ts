/** A TCP proxy in front of a server: the network between it and its clients, which can be cut. */
import { connect, createServer, type AddressInfo, type Socket } from "node:net";

export interface Link extends AsyncDisposable {
  /** Of the link itself, with the scheme and path of the target's. */
  readonly url: string;
  /** Drops every connection without a word, and lets none through. */
  cut(): void;
  /** Lets connections through again, to `targetUrl` if it is given. */
  restore(targetUrl?: string): void;
}

export async function createLink(targetUrl: string): Promise<Link> {
  let target: URL | undefined = new URL(targetUrl);
  const open = new Set<Socket>();
  const server = createServer((near) => {
    if (target === undefined) {
      near.destroy();
      return;
    }
    const far = connect({ host: target.hostname, port: Number(target.port) });
    for (const [from, to] of [
      [near, far],
      [far, near],
    ] as const) {
      open.add(from);
      from.pipe(to);
      from.on("error", () => to.destroy());
      from.on("close", () => {
        open.delete(from);
        to.destroy();
      });
    }
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const url = new URL(targetUrl);
  url.port = `${(server.address() as AddressInfo).port}`;
  let last = targetUrl;

  function cut(): void {
    target = undefined;
    for (const socket of open) socket.destroy();
  }

  return {
    url: url.href,
    cut,
    restore(next = last) {
      last = next;
      target = new URL(next);
    },
    [Symbol.asyncDispose]() {
      cut();
      return new Promise((resolve) => server.close(() => resolve()));
    },
  };
}

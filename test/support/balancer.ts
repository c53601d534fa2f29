/** What stands in front of several nodes: each connection goes to the first of them that takes it. */
import { connect, createServer, type AddressInfo, type Socket } from "node:net";

export interface Balancer extends AsyncDisposable {
  /** Its own, with the path of the first node's. */
  readonly url: string;
}

export async function createBalancer(targets: readonly string[]): Promise<Balancer> {
  const open = new Set<Socket>();
  const server = createServer((near) => {
    open.add(near);
    near.on("close", () => open.delete(near));
    near.on("error", () => {});
    forward(near, targets);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const url = new URL(targets[0] ?? "");
  url.port = `${(server.address() as AddressInfo).port}`;
  return {
    url: url.href,
    [Symbol.asyncDispose]() {
      for (const socket of open) socket.destroy();
      return new Promise((resolve) => server.close(() => resolve()));
    },
  };
}

function forward(near: Socket, [target, ...others]: readonly string[]): void {
  if (target === undefined) {
    near.destroy();
    return;
  }
  const { hostname, port } = new URL(target);
  const far = connect({ host: hostname, port: Number(port) });
  let taken = false;
  far.on("connect", () => {
    taken = true;
    near.pipe(far).pipe(near);
  });
  far.on("error", () => {});
  far.on("close", () => {
    if (taken) near.destroy();
    else forward(near, others);
  });
  near.on("close", () => far.destroy());
}

/** A proxy before a listener with one fault planted in it, as careless configurations have them. */
import { connect, createServer, type AddressInfo, type Socket } from "node:net";
import type { Timer, Timers } from "../../src/core/runtime.ts";

export type PlantedFault =
  /** Keeps an answer until its end. */
  | { readonly kind: "buffers" }
  /** Cuts connections on which nothing went for so long. */
  | { readonly kind: "cuts"; readonly idleMs: number; readonly timers: Timers }
  /** Leaves out what asks for an upgrade, as HTTP/1.0 to the server does. */
  | { readonly kind: "drops upgrades" }
  /** Has no server behind it. */
  | { readonly kind: "answers 502" }
  /** Drops frames to the client that hold this text. */
  | { readonly kind: "loses"; readonly text: string };

export interface PlantedProxy extends AsyncDisposable {
  /** With the target's scheme. */
  readonly url: string;
  /** Resolves once the fault has struck. */
  readonly struck: Promise<void>;
}

export async function plantProxy(target: string, fault: PlantedFault): Promise<PlantedProxy> {
  const { hostname, port } = new URL(target);
  const struck = Promise.withResolvers<void>();
  const sockets = new Set<Socket>();
  const keep = (socket: Socket): Socket => {
    sockets.add(socket);
    // A reset is one way for a connection to end.
    return socket.on("error", () => {}).on("close", () => sockets.delete(socket));
  };
  const proxy = createServer((client) => {
    keep(client);
    if (fault.kind === "answers 502") {
      client.end("HTTP/1.1 502 Bad Gateway\r\ncontent-length: 0\r\n\r\n");
      return struck.resolve();
    }
    const server = keep(connect({ host: hostname, port: Number(port) }));
    const pass = passing(fault, { client, server, onStruck: struck.resolve });
    client.on("data", (bytes: Buffer) => pass.toServer(bytes));
    server.on("data", (bytes: Buffer) => pass.toClient(bytes));
    client.on("close", () => server.destroy());
    server.on("close", () => {
      pass.ended();
      client.end();
    });
  });
  await new Promise<void>((resolve) => proxy.listen(0, "127.0.0.1", resolve));
  return {
    url: `http://127.0.0.1:${(proxy.address() as AddressInfo).port}`,
    struck: struck.promise,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => proxy.close(resolve));
    },
  };
}

interface Passing {
  toServer(bytes: Buffer): void;
  toClient(bytes: Buffer): void;
  ended(): void;
}

interface Ends {
  readonly client: Socket;
  readonly server: Socket;
  readonly onStruck: () => void;
}

function passing(fault: PlantedFault, ends: Ends): Passing {
  const { client, server, onStruck } = ends;
  const plain: Passing = {
    toServer: (bytes) => void server.write(bytes),
    toClient: (bytes) => void client.write(bytes),
    ended: () => {},
  };
  switch (fault.kind) {
    case "buffers":
      return { ...plain, ...buffering(ends) };
    case "cuts":
      return cutting(fault, plain, ends);
    case "drops upgrades":
      return {
        ...plain,
        toServer(bytes) {
          const text = bytes.toString("latin1");
          const without = text.replace(
            /\r\n(?:upgrade|connection): *(?:websocket|upgrade)(?=\r\n)/gi,
            "",
          );
          if (without !== text) onStruck();
          server.write(Buffer.from(without, "latin1"));
        },
      };
    case "loses":
      return {
        ...plain,
        toClient(bytes) {
          if (bytes.includes(fault.text)) onStruck();
          else client.write(bytes);
        },
      };
    case "answers 502":
      return plain;
  }
}

/** What is upgraded is no answer any more, and passes. */
function buffering({ client, onStruck }: Ends): Pick<Passing, "toClient" | "ended"> {
  const kept: Buffer[] = [];
  let upgraded = false;
  return {
    toClient(bytes) {
      upgraded ||= kept.length === 0 && bytes.toString("latin1", 0, 12) === "HTTP/1.1 101";
      if (upgraded) return void client.write(bytes);
      kept.push(bytes);
      if (bytes.includes("text/event-stream")) onStruck();
    },
    ended: () => void client.write(Buffer.concat(kept.splice(0))),
  };
}

function cutting(
  { idleMs, timers }: Extract<PlantedFault, { kind: "cuts" }>,
  plain: Passing,
  { client, server, onStruck }: Ends,
): Passing {
  let timer: Timer | undefined;
  function touch(): void {
    timer?.cancel();
    timer = timers.after(idleMs, () => {
      client.destroy();
      server.destroy();
      onStruck();
    });
  }
  touch();
  return {
    toServer(bytes) {
      touch();
      plain.toServer(bytes);
    },
    toClient(bytes) {
      touch();
      plain.toClient(bytes);
    },
    ended: () => timer?.cancel(),
  };
}

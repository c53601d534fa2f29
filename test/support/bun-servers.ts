/** Bun's own server of WebSockets without anything of ours around it, raw clients of it, and numbered texts to send. */
import { afterEach } from "bun:test";
import type { Server, ServerWebSocket, WebSocketHandler } from "bun";
import { connectRaw, type RawWebSocket } from "./raw-websocket.ts";

export type Bare = ServerWebSocket<undefined>;

/** What `serve` starts ends, and what is in `cleanups` runs, after each test of the file that calls this, the last first. */
export function useBunServers() {
  const cleanups: (() => unknown)[] = [];
  afterEach(async () => {
    for (const cleanup of cleanups.splice(0).toReversed()) await cleanup();
  });

  function serve(
    websocket: Partial<WebSocketHandler<undefined>> = {},
    headers?: Record<string, string>,
  ) {
    const sockets: Bare[] = [];
    const server: Server<undefined> = Bun.serve({
      hostname: "127.0.0.1",
      port: 0,
      fetch(request, self) {
        const upgraded = self.upgrade(request, headers === undefined ? {} : { headers });
        return upgraded ? undefined : new Response("no", { status: 400 });
      },
      websocket: {
        idleTimeout: 0,
        sendPings: false,
        message() {},
        ...websocket,
        open: (ws) => void sockets.push(ws),
      },
    });
    cleanups.push(() => server.stop(true));
    const url = server.url.href;
    async function connect(): Promise<{ client: RawWebSocket; ws: Bare }> {
      const client = await connectRaw(url);
      cleanups.push(() => client.destroy());
      return { client, ws: sockets.at(-1)! };
    }
    return { server, url, connect };
  }

  return { serve, cleanups };
}

export function turn(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve);
  });
}

export async function texts(client: RawWebSocket, count: number): Promise<string[]> {
  const all: string[] = [];
  while (all.length < count) all.push((await client.next()).text);
  return all;
}

export const text = (at: number) => `${at}`;
export const upTo = (count: number) => Array.from({ length: count }, (_, at) => text(at));

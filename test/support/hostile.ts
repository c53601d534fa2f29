/** What tests of hostile input share: clients on raw sockets that speak streaming, and a neighbour that must notice nothing. */
import { connect as connectTcp } from "node:net";
import { expect } from "bun:test";
import type { BootedServer } from "./server.ts";
import { connectRaw, type RawFrame, type RawWebSocket } from "./raw-websocket.ts";
import { hs256 } from "./tokens.ts";
import { compactJson } from "../../src/core/json-text.ts";

export type Format = "json" | "protobuf";

/** What a connection has been sent when it is over. */
export interface Ending {
  /** Text of all frames but the close. */
  readonly texts: readonly string[];
  readonly payloads: readonly Buffer[];
  /** Absent: cut without a close frame. */
  readonly code?: number;
  readonly reason?: string;
}

export interface Neighbour {
  /** Publishes once more, and resolves when exactly that was received. */
  check(): Promise<void>;
  close(): void;
}

export function formatUrl(server: { readonly websocketUrl: string }, format: Format): string {
  return format === "protobuf" ? `${server.websocketUrl}?format=protobuf` : server.websocketUrl;
}

/** Upgraded, and with `connected` past its connect answer. */
export async function openClient(
  server: { readonly websocketUrl: string },
  options: { readonly format?: Format; readonly connected?: boolean } = {},
): Promise<RawWebSocket> {
  const { format = "json", connected = true } = options;
  const client = await connectRaw(formatUrl(server, format));
  if (!connected) return client;
  if (format === "json") client.send('{"id":1,"connect":{}}');
  else client.send(Buffer.from("0408012200", "hex"));
  await client.next();
  return client;
}

/** Waits until the server ended the connection; then lets go of it. */
export async function ending(client: RawWebSocket): Promise<Ending> {
  const frames = await client.rest();
  client.destroy();
  await client.gone;
  return endingOf(frames);
}

function endingOf(frames: readonly RawFrame[]): Ending {
  const close = frames.find(({ opcode }) => opcode === 8);
  const others = frames.filter(({ opcode }) => opcode !== 8);
  return {
    texts: others.map(({ text }) => text),
    payloads: others.map(({ payload }) => payload),
    ...(close?.code === undefined ? {} : { code: close.code, reason: close.text }),
  };
}

/** A healthy subscriber of a channel of its own, in the same server. */
export async function startNeighbour(server: BootedServer): Promise<Neighbour> {
  const client = await openClient(server, { connected: false });
  // A user of its own, so that nothing meant for anonymous connections concerns it.
  client.send(`{"id":1,"connect":{"token":"${hs256({ sub: "neighbour" })}"}}`);
  await client.next();
  client.send('{"id":2,"subscribe":{"channel":"public:neighbour"}}');
  await client.next();
  let number = 0;
  return {
    async check() {
      number += 1;
      const data = { json: compactJson(`{"number":${number}}`) };
      await server.hub.publish({ space: "channels", name: "public:neighbour" }, { data });
      const { text } = await client.next();
      expect(JSON.parse(text)).toMatchObject({ push: { pub: { data: { number } } } });
    },
    close: () => client.destroy(),
  };
}

/** Nothing that the server itself calls a bug. Names the whole entry when there is one. */
export function expectNoBugs(server: Pick<BootedServer, "logged">): void {
  expect(server.logged.filter(({ level }) => Number(level) >= 50)).toEqual([]);
}

/** Sends bytes to a port and answers all that came back by the time the server ended the connection. */
export function exchange(
  url: string,
  bytes: string | Uint8Array,
  options: { readonly end?: boolean; readonly until?: string } = {},
): Promise<string> {
  const { hostname, port } = new URL(url);
  return new Promise((resolve) => {
    let received = "";
    const socket = connectTcp({ host: hostname, port: Number(port), allowHalfOpen: true }, () => {
      if (options.end === true) socket.end(bytes);
      else socket.write(bytes);
    });
    const done = () => {
      socket.destroy();
      resolve(received);
    };
    socket.on("data", (chunk: Buffer) => {
      received += chunk.toString("latin1");
      if (options.until !== undefined && received.includes(options.until)) done();
    });
    socket.on("end", done);
    // A reset is one way to be refused.
    socket.on("error", done);
  });
}

/** Lets what the sockets already carry arrive and be handled, until `done`. */
export async function until(done: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await done())) await new Promise<void>((resolve) => setImmediate(resolve));
}

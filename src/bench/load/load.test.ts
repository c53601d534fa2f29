/** The parts of load processes: what disturbs a connection or a channel is not taken for a fault of the server's. */
import { expect, test } from "bun:test";
import { createServer, type AddressInfo } from "node:net";
import { HttpLane } from "./http-lane.ts";
import { Tally } from "./tally.ts";

/** Answers requests as `answer` says, by their number over all connections. */
async function serving(answer: (request: number) => string | undefined) {
  let requests = 0;
  let connections = 0;
  const server = createServer((socket) => {
    connections += 1;
    socket.on("error", () => {});
    socket.on("data", () => {
      const text = answer((requests += 1));
      if (text === undefined) socket.destroy();
      else if (text.includes("Connection: close")) socket.end(text);
      else socket.write(text);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  return {
    address: { host: "127.0.0.1", port },
    connections: () => connections,
    [Symbol.asyncDispose]: () => new Promise<void>((resolve) => server.close(() => resolve())),
  };
}

const answered = (more = ""): string => `HTTP/1.1 200 OK\r\nContent-Length: 2\r\n${more}\r\n{}`;
const REQUEST = Buffer.from("POST / HTTP/1.1\r\nContent-Length: 0\r\n\r\n");

/** Sends so many requests, one after the other; tells what became of each. */
function run(address: { readonly host: string; readonly port: number }, count: number) {
  const told: string[] = [];
  return new Promise<readonly string[]>((resolve) => {
    const next = (lane: HttpLane, what: string): void => {
      told.push(what);
      if (told.length < count) return lane.send(REQUEST);
      lane.end();
      resolve(told);
    };
    const lane = new HttpLane(0, address, {
      connected: () => lane.send(REQUEST),
      answered: (own, ok) => next(own, ok ? "ok" : "failed"),
      lost(own) {
        if (told.length === count) return;
        told.push("lost");
        own.connect();
      },
      refused: () => resolve([...told, "refused"]),
    });
    lane.connect();
  });
}

test("a server that ends each connection with its answer loses nothing", async () => {
  await using server = await serving(() => answered("Connection: close\r\n"));
  expect(await run(server.address, 3)).toEqual(["ok", "ok", "ok"]);
  expect(server.connections()).toBeGreaterThanOrEqual(3);
});

test("a request whose connection breaks is lost, and the next one goes on", async () => {
  await using server = await serving((request) => (request === 2 ? undefined : answered()));
  expect(await run(server.address, 4)).toEqual(["ok", "lost", "ok", "ok"]);
});

test("a server that is gone is told as such", async () => {
  const server = await serving(() => answered());
  await server[Symbol.asyncDispose]();
  expect(await run(server.address, 1)).toEqual(["refused"]);
});

const numbered = (number: number): Buffer =>
  Buffer.from(`{"push":{"channel":"c","pub":{"data":{"n":100${`${number}`.padStart(8, "0")}}}}}`);

/** As one subscriber's; a message is a frame. */
function counted(messages: readonly Buffer[]) {
  const tally = new Tally({ subscribers: 1, sampleEvery: 1, complete: true });
  tally.chunk();
  for (const message of messages) {
    const { length } = message;
    const header = length < 126 ? [0x81, length] : [0x81, 126, length >> 8, length & 255];
    const bytes = Buffer.concat([Buffer.from(header), message]);
    // As a client does: what looks like the one before goes the fast way.
    if (tally.frames(0, bytes, 0) === 0) tally.frame(0, bytes, header.length, bytes.length);
  }
  const { numbered, unnumbered, missing, misordered } = tally.report();
  return { numbered, unnumbered, missing, misordered };
}

test("gaps and steps back are counted", () => {
  expect(counted([1, 2, 5, 4].map(numbered))).toEqual({
    ...{ numbered: 4, unnumbered: 0, missing: 2, misordered: 1 },
  });
});

test("what somebody else publishes to the channel is left out of account, whatever its length", () => {
  const foreign = (length: number): Buffer => Buffer.from("z".repeat(length));
  const { length } = numbered(1);
  const messages = [foreign(length), numbered(1), foreign(length), foreign(9), numbered(2)];
  expect(counted(messages)).toEqual({ numbered: 2, unnumbered: 3, missing: 0, misordered: 0 });
});

test("each message of a frame counts, whatever the others' lengths", () => {
  const texts = [1, 2, 3].map((number) => numbered(number).toString());
  const foreign = JSON.stringify({ a: 'x","y', b: 1 });
  const messages = [...texts.slice(0, 1), foreign, ...texts.slice(1)];
  const frames = [
    messages.join("\n"),
    `a${JSON.stringify(messages.map((text) => text.replace('"n":', "n=")))}`,
  ];
  for (const frame of frames) {
    const next = [4, 6].map((number) => numbered(number).toString());
    const more = frame.startsWith("a")
      ? next.map((text) => `a${JSON.stringify([text.replace('"n":', "n=")])}`)
      : next;
    expect(counted([frame, ...more].map((text) => Buffer.from(text)))).toEqual({
      ...{ numbered: 5, unnumbered: 1, missing: 1, misordered: 0 },
    });
  }
});

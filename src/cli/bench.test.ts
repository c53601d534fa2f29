/** `carillon bench` against a running server: what it counts, what it finds missing, and what it refuses (docs/bench.md). */
import { availableParallelism } from "node:os";
import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { bootServer, type BootedServer } from "../../test/support/server.ts";
import type { BenchReport } from "../bench/index.ts";
import { carillon, withFiles, write } from "./test-support.ts";

// Each one starts three processes or more.
setDefaultTimeout(30_000);

let server: BootedServer;
beforeAll(async () => {
  server = await bootServer();
});
afterAll(() => server[Symbol.asyncDispose]());

const SMALL = ["--connections", "30", "--subscribers", "5", "--in-flight", "2", "--seconds", "1"];

function bench(clientsUrl: string, more: readonly string[], command?: readonly string[]) {
  const args = ["bench", clientsUrl, "--api", server.apiUrl, ...SMALL, ...more];
  return carillon(args, {}, command);
}

test.concurrent("every delivery is counted: exit code 0, as a table and as JSON", async () => {
  const channel = "public:bench";
  const [{ code, out }, table] = await Promise.all([
    bench(server.clientsUrl, ["--channel", channel, "--json"]),
    bench(server.clientsUrl, []),
  ]);
  const { connect, deliver, publish, faults } = JSON.parse(out) as BenchReport;
  expect(code).toBe(0);
  expect(faults).toEqual([]);
  expect(connect).toMatchObject({ connections: 30, failed: 0 });
  expect(deliver).toMatchObject({ subscribers: 5, missing: 0, out_of_order: 0, closed: 0 });
  expect(deliver.publications).toBeGreaterThan(0);
  expect(deliver.deliveries).toBe(deliver.publications * 5);
  expect(publish.refused).toBe(0);
  for (const row of [connect, deliver, publish]) {
    expect(row.per_second).toBeGreaterThan(0);
    expect(row.latency_ms.p99).toBeGreaterThanOrEqual(row.latency_ms.p50);
    expect(row.latency_ms.p50).toBeGreaterThan(0);
    expect(row.cpu).toBeGreaterThan(0);
  }
  const kept = await server.api("history", { channel });
  const offset = Number(kept.result?.["offset"]);
  expect(offset).toBeGreaterThan(deliver.publications + publish.publications);

  expect(table.out).toMatch(/^connect, 30 +\d+ /m);
  expect(table.out).toMatch(/^deliver, to 5 +\d+ +[\d.]+ +[\d.]+ +0 +0 +\d+ %$/m);
  expect(table.out).toMatch(/^publish, to nobody +\d+ /m);
  expect(table.out).toEndWith("\nEvery delivery arrived, once and in order.\n");
});

test.concurrent("what a proxy drops is missing, and what it repeats is out of order: exit code 1", async () => {
  await using proxy = meddler(server.clientsUrl);
  const { code, out } = await bench(proxy.url, ["--json"]);
  const { deliver, faults } = JSON.parse(out) as BenchReport;
  expect(deliver.missing).toBe(proxy.dropped());
  expect(deliver.out_of_order).toBe(proxy.repeated());
  expect(faults).toEqual([
    `${proxy.dropped()} deliveries are missing`,
    `${proxy.repeated()} deliveries came out of order or twice`,
  ]);
  expect(code).toBe(1);
});

test.concurrent("open files that cap it are told", async () => {
  const files = 64;
  const more = ["--connections", "1000", "--json"];
  const { out } = await bench(server.clientsUrl, more, withFiles(files));
  const { connect, notes } = JSON.parse(out) as BenchReport;
  const processes = Math.max(1, Math.min(availableParallelism() - 1, 8));
  expect(connect).toMatchObject({ connections: (files - 32) * processes, failed: 0 });
  expect(notes[0]).toContain(`a process may have ${files} open files here. Raise it by ulimit -n`);
});

test("what it lacks is one line that says what to do: exit code 2", async () => {
  const closed = write("closed.toml", "");
  const url = server.clientsUrl;
  const here = ["bench", url, "--api", server.apiUrl];
  const ran = await Promise.all([
    carillon([...here, "--key", "wrong"]),
    carillon([...here, "--config", closed]),
    carillon([...here, "--token", "wrong", ...SMALL]),
    carillon([...here, "--channel", "unknown:channel"]),
    carillon(["bench", url, "--api", url]),
    carillon(["bench", "https://push.example", "--api", server.apiUrl]),
    carillon(["bench", url, "--api", "http://10.0.0.1:9000"]),
  ]);
  expect(ran.map(({ code }) => code)).toEqual([2, 2, 2, 2, 2, 2, 2]);
  const lines = [
    'The API key was not accepted (401): give --key; "carillon key --scope streaming" makes one [server_refused]',
    'Publishing needs an API key: give --key; "carillon key --scope streaming" makes one [command_usage]',
    'Connecting was refused: closed with 3500: give --token; "carillon token streaming" makes one [server_refused]',
    'Publishing to "unknown:channel" was refused: 102 unknown channel: --channel names another [server_refused]',
    `${url}/api/publish answered 404: --api is the server's api listener [server_refused]`,
    "push.example is not this machine, and may be slowed down for everybody: add --remote if you may load it [command_usage]",
    "10.0.0.1 is not this machine, and may be slowed down for everybody: add --remote if you may load it [command_usage]",
  ];
  expect(ran.map(({ err }) => err.trimEnd().split("\n").at(-1))).toEqual(
    lines.map((line) => `carillon: ${line}`),
  );
});

/** Passes WebSockets on; of the numbered messages of the first connection one in seven is lost, and one in eleven comes twice. */
function meddler(clientsUrl: string) {
  let [dropped, repeated, seen] = [0, 0, 0];
  let first: unknown;
  interface Passed {
    readonly far: WebSocket;
  }
  function pass(near: Bun.ServerWebSocket<Passed>, message: string): void {
    if (message.includes('"n":')) {
      first ??= near;
      if (first === near) seen += 1;
      if (first === near && seen % 7 === 0) {
        dropped += 1;
        return;
      }
      if (first === near && seen % 11 === 0) {
        repeated += 1;
        near.send(message);
      }
    }
    near.send(message);
  }
  const proxy = Bun.serve<Passed>({
    ...{ port: 0, hostname: "127.0.0.1" },
    fetch(request, own) {
      const { pathname } = new URL(request.url);
      const far = new WebSocket(clientsUrl.replace(/^http/, "ws") + pathname);
      return own.upgrade(request, { data: { far } })
        ? undefined
        : new Response("", { status: 400 });
    },
    websocket: {
      open(near) {
        near.data.far.addEventListener("message", ({ data }: MessageEvent<unknown>) => {
          // A frame may hold many.
          for (const message of String(data).split("\n")) pass(near, message);
        });
      },
      async message(near, text) {
        const { far } = near.data;
        if (far.readyState !== WebSocket.OPEN) {
          await new Promise((resolve) => far.addEventListener("open", resolve));
        }
        far.send(text);
      },
      close: (near) => near.data.far.close(),
    },
  });
  return {
    url: `http://127.0.0.1:${proxy.port}`,
    dropped: () => dropped,
    repeated: () => repeated,
    [Symbol.asyncDispose]: () => proxy.stop(true),
  };
}

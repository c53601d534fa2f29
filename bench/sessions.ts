/**
 * Memory of messaging's idle sessions: `npx bun bench/sessions.ts`.
 * What the server's resident memory grows by with each of 5,000 sessions of a transport, beyond the first 1,000, each another subscriber's
 * and in no channel; Centrifugo's nearest transport beside it.
 */
import { memoryOf, SubscribersProcess } from "./harness/load.ts";
import { startTopics } from "./harness/floors.ts";
import { main } from "./harness/main.ts";
import { bun, ChildProcess } from "./harness/processes.ts";
import { centrifugo, type Bench, type Contender, type Round } from "./harness/round.ts";
import type { Target } from "./harness/targets.ts";
import type { HttpSessionsSpec } from "./load/http-sessions.ts";
import { startMessaging, TRANSPORTS } from "./messaging-target.ts";

const SESSIONS = 5000;
const FORM = "application/x-www-form-urlencoded";

type Shape = Pick<HttpSessionsSpec, "request" | "marker" | "polls">;

const receiving = (method: string, transport: string) =>
  `${method} /messaging/000/s%d/${transport}?access_token=%s HTTP/1.1\r\nHost: bench\r\n${
    method === "POST" ? `Content-Length: 0\r\nContent-Type: ${FORM}\r\n` : ""
  }\r\n`;
const CONNECT = '{"id":1,"connect":{"token":"%s"}}';

const HTTP: readonly { readonly name: string; readonly own: Shape; readonly peer?: Shape }[] = [
  { name: "xhr", own: { request: receiving("POST", "xhr"), marker: "\r\n\r\no", polls: true } },
  {
    name: "xhr_streaming",
    own: { request: receiving("POST", "xhr_streaming"), marker: "\no\n", polls: false },
    peer: {
      request: `POST /connection/http_stream HTTP/1.1\r\nHost: bench\r\nContent-Type: application/json\r\nContent-Length: %l\r\n\r\n${CONNECT}`,
      ...{ marker: '"connect":', polls: false },
    },
  },
  {
    name: "eventsource",
    own: { request: receiving("GET", "eventsource"), marker: "data: o", polls: false },
    peer: {
      request: `GET /connection/sse?cf_connect=${encodeURIComponent(CONNECT).replace("%25s", "%s")} HTTP/1.1\r\nHost: bench\r\n\r\n`,
      ...{ marker: '"connect":', polls: false },
    },
  },
];

export const benchSessions: Bench = {
  name: "sessions",
  floor: "bare `Bun.serve` sockets in a topic",
  roundsMax: 3,
  async take(round) {
    for (const transport of Object.keys(TRANSPORTS) as (keyof typeof TRANSPORTS)[]) {
      const start = () => startMessaging({ subscribers: SESSIONS, transport });
      await round.each([{ name: transport, side: "own", start }], (target, { side }) =>
        webSockets(round, target, side, [transport]),
      );
    }
    const others: readonly Contender[] = [
      ...centrifugo({ users: SESSIONS }),
      { name: "topics", side: "floor", start: startTopics },
    ];
    await round.each(others, (target, { side }) =>
      webSockets(round, target, side, Object.keys(TRANSPORTS)),
    );
    for (const { name, own, peer } of HTTP) {
      const start = () => startMessaging({ subscribers: SESSIONS });
      await round.each([{ name, side: "own", start }], (target, { side }) =>
        overHttp(round, target, side, name, own),
      );
      if (peer === undefined) continue;
      const config = { http_stream: { enabled: true }, sse: { enabled: true } };
      await round.each(centrifugo({ users: SESSIONS, config }), (target, { side }) =>
        overHttp(round, target, side, name, peer),
      );
    }
  },
};

type Part = Contender["side"];

async function webSockets(round: Round, target: Target, side: Part, names: readonly string[]) {
  const joining = await target.join("bench");
  // In no channel where it may.
  const { init, replies } =
    side === "peer" ? { init: joining.init.slice(0, 1), replies: 1 } : joining;
  const { further } = await memoryOf(target.process, SESSIONS, (connections) =>
    SubscribersProcess.start(target, { channel: "bench", connections, init, replies }),
  );
  for (const name of names) round.add(row(name), side, { value: further });
}

async function overHttp(round: Round, target: Target, side: Part, name: string, shape: Shape) {
  const { texts = [] } = await target.join("");
  const { host, port } = target.sockets;
  const { further } = await memoryOf(target.process, SESSIONS, async (connections, part) => {
    const process = new ChildProcess(bun("load/http-sessions.ts"), { on: "load" });
    const first = part === "a" ? 0 : SESSIONS - connections;
    const spec: HttpSessionsSpec = { host, port, ...shape, texts, connections, first };
    await process.ask(spec);
    return process;
  });
  round.add(row(name), side, { value: further });
}

function row(name: string) {
  return { name: `messaging, idle session, ${name}`, unit: "KB/session" };
}

if (import.meta.main) await main([benchSessions]);

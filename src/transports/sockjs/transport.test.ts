/** What every transport promises to sessions and groups, by SockJS's WebSocket and by its streaming answers. */
import { testTransport } from "../../../test/conformance/transport/index.ts";
import type {
  TransportClient,
  TransportUnderTest,
} from "../../../test/conformance/transport/under-test.ts";
import { connectRaw } from "../../../test/support/raw-websocket.ts";
import { createTestRuntime } from "../../../test/support/runtime.ts";
import { openAnswer, post } from "../../../test/support/sockjs.ts";
import { findMount } from "../../../test/support/websocket-listener.ts";
import type { Fanout } from "../../core/fanout.ts";
import type { Frame } from "../../core/types.ts";
import { createClientsListener } from "../listener.ts";
import { LocalGroups } from "../local-groups.ts";
import type { OpenSession } from "../socket.ts";

testTransport("sockjs websocket", () => createTransport(overWebSocket), {
  ...{ binary: false, framingBytes: 'a[""]'.length },
});
testTransport("sockjs xhr_streaming", () => createTransport(overStreaming), {
  ...{ binary: false, clientCodes: false, framingBytes: '""'.length },
});

interface Wire {
  readonly client: TransportClient;
  destroy(): void;
}

async function createTransport(
  connect: (url: string) => Promise<Wire>,
): Promise<TransportUnderTest> {
  const runtime = createTestRuntime();
  const bugs: unknown[] = [];
  const wires: Wire[] = [];
  let opening: OpenSession | undefined;
  let fanout: Fanout | undefined;
  const listener = createClientsListener({
    ...{ hostname: "127.0.0.1", port: 0, trustedProxies: [], findMount, runtime },
    routes: [
      {
        ...{ path: "/base", transports: ["sockjs"], messageBytesMax: 65_536 },
        // So that one answer takes all of a case.
        sockjs: { responseBytesMax: 2 ** 40 },
        accept: () => opening!,
      },
    ],
    fetch: () => new Response("not found", { status: 404 }),
    onBug: (error) => bugs.push(error),
  });
  return {
    ...{ runtime, bugs },
    get fanout() {
      // Nothing can have joined before a session was opened.
      return fanout ?? new LocalGroups();
    },
    async connect(open, limits) {
      const opened = Promise.withResolvers<void>();
      opening = {
        ...limits,
        open(socket) {
          ({ fanout } = socket.member);
          opened.resolve();
          return open(socket);
        },
      };
      const wire = await connect(`${listener.url}/base/000/${wires.length}`);
      wires.push(wire);
      await opened.promise;
      return wire.client;
    },
    async close() {
      for (const wire of wires) wire.destroy();
      await listener.close();
    },
  };
}

/** Takes frames apart: `take` gives the next one, and undefined at the end. */
function clientOf(
  take: () => Promise<string | undefined>,
  rest: Pick<TransportClient, "send" | "close" | "pause" | "resume">,
): TransportClient {
  const messages: Frame[] = [];
  let close: readonly [code: number, reason: string] = [1006, ""];

  /** False: there is none any more. */
  async function fill(): Promise<boolean> {
    for (let frame = await take(); frame !== undefined; frame = await take()) {
      if (frame.startsWith("c")) close = JSON.parse(frame.slice(1)) as typeof close;
      if (!frame.startsWith("a")) continue;
      messages.push(...(JSON.parse(frame.slice(1)) as string[]));
      return true;
    }
    return false;
  }

  return {
    ...rest,
    async next() {
      if (messages.length === 0 && !(await fill())) throw new Error("The connection ended");
      return messages.shift() ?? "";
    },
    async ended() {
      while (await fill());
      const [code, reason] = close;
      return { code, reason, messages };
    },
  };
}

async function overWebSocket(url: string): Promise<Wire> {
  const raw = await connectRaw(`${url}/websocket`);
  let open = true;
  async function take(): Promise<string | undefined> {
    if (!open) return undefined;
    const { opcode, text } = await raw.next();
    open = opcode !== 8;
    return open ? text : undefined;
  }
  const client = clientOf(take, {
    send: (message) => raw.send(JSON.stringify([message])),
    close: (code, reason) => raw.close(code, reason),
    pause: () => raw.pause(),
    resume: () => raw.resume(),
  });
  return { client, destroy: () => raw.destroy() };
}

async function overStreaming(url: string): Promise<Wire> {
  const answer = await openAnswer(`${url}/xhr_streaming`, "POST", { "Content-Length": "0" });
  // One POST after the other: two connections have no order.
  let sending: Promise<unknown> = Promise.resolve();
  const client = clientOf(async () => (await answer.next())?.trim(), {
    send(message) {
      sending = sending.then(() => post(`${url}/xhr_send`, JSON.stringify([message])));
      sending.catch(() => {});
    },
    close: () => answer.destroy(),
    pause: () => void answer.tcp.pause(),
    resume: () => void answer.tcp.resume(),
  });
  return { client, destroy: () => answer.destroy() };
}

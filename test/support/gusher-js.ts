/** The published browser client, unmodified, with the globals that it finds in a page and its events as they come (gusher.md §12). */
import { afterAll, afterEach, beforeAll } from "bun:test";
import { Gusher } from "@xpomelox/gusher";
import { socketUrl, type GusherServer } from "./gusher.ts";

type Options = NonNullable<ConstructorParameters<typeof Gusher>[1]>;

export interface Happened {
  readonly event: string;
  readonly data: unknown;
}

export interface OfficialGusher {
  readonly client: Gusher;
  /** Frames that it sent, parsed; of binary ones, their bytes. */
  readonly sent: readonly unknown[];
  /** The client's events in their order, those of pushes and replies included, `*` left out. */
  readonly events: readonly string[];
  /** Whole frames, as `*` tells them. */
  readonly frames: readonly unknown[];
  /** The next event of this name that was not taken yet. */
  readonly next: (event: string) => Promise<unknown>;
}

const LIFECYCLE = [
  ...["connected", "@closed", "closed", "retry", "retryMax", "disconnected", "error"],
  ...["subscribe", "unsubscribe", "multi_subscribe", "querychannel"].flatMap((name) =>
    ["succeeded", "error"].map((end) => `gusher.${name}_${end}`),
  ),
];

/** Clients that `create` made are disconnected behind each test of the file that calls this. */
export function useGusherJs() {
  const { WebSocket: RealWebSocket } = globalThis;
  const clients: Gusher[] = [];
  let sent: unknown[] = [];
  const before = new Map<string, unknown>();

  class RecordedWebSocket extends RealWebSocket {
    override send(data: Parameters<WebSocket["send"]>[0]): void {
      sent.push(typeof data === "string" ? JSON.parse(data) : data);
      super.send(data);
    }
  }

  beforeAll(() => {
    // §12.2: reconnecting uses window.setTimeout, logging looks at localStorage.
    const globals = { window: globalThis, WebSocket: RecordedWebSocket };
    for (const name of Object.keys(globals)) before.set(name, Reflect.get(globalThis, name));
    // That one stays: what a client logs about its end may come behind the last test.
    Object.assign(globalThis, { ...globals, localStorage: {} });
  });
  afterEach(() => {
    for (const client of clients.splice(0)) {
      client.disconnect();
      // It reconnects all the same when it was about to.
      clearTimeout(client.connection.retryTimer ?? undefined);
    }
  });
  afterAll(() => {
    for (const [name, value] of before) {
      if (value === undefined) Reflect.deleteProperty(globalThis, name);
      else Object.assign(globalThis, { [name]: value });
    }
  });

  /** `events`: further ones to record, of pushes. */
  function create(
    server: GusherServer,
    token: string,
    options: Partial<Options> & { readonly events?: readonly string[] } = {},
  ): OfficialGusher {
    const { events: more = [], ...rest } = options;
    sent = [];
    const url = new URL(socketUrl(server, token).replace(/^http/, "ws"));
    url.search = "";
    const client = new Gusher("TEST", { url: url.href, token, reconnectionDelay: 1, ...rest });
    clients.push(client);
    const events: string[] = [];
    const frames: unknown[] = [];
    const untaken: Happened[] = [];
    const waiting = new Set<{ event: string; resolve: (data: unknown) => void }>();
    for (const event of [...LIFECYCLE, ...more]) {
      client.bind(event, (data: unknown) => {
        events.push(event);
        const waiter = [...waiting].find((one) => one.event === event);
        if (waiter === undefined) untaken.push({ event, data });
        else {
          waiting.delete(waiter);
          waiter.resolve(data);
        }
      });
    }
    client.bind("*", (frame: unknown) => frames.push(frame));
    return {
      client,
      sent,
      events,
      frames,
      next(event) {
        const at = untaken.findIndex((happened) => happened.event === event);
        if (at >= 0) return Promise.resolve(untaken.splice(at, 1)[0]?.data);
        return new Promise((resolve) => waiting.add({ event, resolve }));
      },
    };
  }

  return { create };
}

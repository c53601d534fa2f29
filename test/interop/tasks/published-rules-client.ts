/**
 * A client as the public ones are written (task-tokens.md §1.2, facts 13 to 17): it knows the four members, calls a link dead
 * that brought no `Ticks` for more than five seconds, which it looks at every three, and then comes back with its token.
 */
import type { Timers, Clock } from "../../../src/core/runtime.ts";

const CHECK_MS = 3000;
const SILENT_MS = 5000;

export interface PublishedRulesClient {
  /** Payloads so far, decoded. */
  readonly progress: readonly string[];
  readonly ticks: readonly string[];
  /** Sockets that it opened. */
  readonly opened: number;
  /** Sockets that it called dead. */
  readonly dropped: number;
  /** The final answer; rejects with the text of an `Error`. */
  readonly final: Promise<string>;
  stop(): void;
}

export function startPublishedRulesClient(
  url: string,
  clientToken: string,
  { timers, clock }: { readonly timers: Timers; readonly clock: Clock },
): PublishedRulesClient {
  const progress: string[] = [];
  const ticks: string[] = [];
  const final = Promise.withResolvers<string>();
  final.promise.catch(() => {});
  let opened = 0;
  let dropped = 0;
  let lastTickMs = 0;
  let stopped = false;
  let socket: WebSocket | undefined;

  function open(): void {
    const ws = new WebSocket(url);
    socket = ws;
    opened += 1;
    lastTickMs = clock.monotonicMs();
    ws.onopen = () => ws.send(`{"ClientToken":"${clientToken}"}`);
    ws.onmessage = ({ data }) => {
      if (ws !== socket) return;
      const frame = JSON.parse(String(data)) as Record<string, unknown>;
      const { Error: error, Ticks, Message, Completed } = frame;
      if (typeof Ticks === "string" && Ticks !== "") {
        lastTickMs = clock.monotonicMs();
        ticks.push(Ticks);
      }
      if (typeof error === "string" && error !== "") {
        stop();
        final.reject(new Error(error));
      } else if (typeof Message === "string" && Message !== "") {
        const payload = Buffer.from(Message, "base64").toString();
        if (Completed === true) {
          stop();
          final.resolve(payload);
        } else progress.push(payload);
      }
    };
  }

  function check(): void {
    if (stopped) return;
    if (clock.monotonicMs() - lastTickMs > SILENT_MS) {
      dropped += 1;
      socket?.close();
      open();
    }
    timers.after(CHECK_MS, check);
  }

  function stop(): void {
    stopped = true;
    socket?.close();
  }

  open();
  timers.after(CHECK_MS, check);
  return {
    progress,
    ticks,
    get opened() {
      return opened;
    },
    get dropped() {
      return dropped;
    },
    final: final.promise,
    stop,
  };
}

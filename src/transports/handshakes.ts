/**
 * WebSocket handshakes: what they say, and when they are served. Bun reads whatever has come in one turn of the event loop, so that many
 * clients that come back at once would be served in one turn as well, with all that follows a handshake.
 */
import type { Timers } from "../core/runtime.ts";
import { Turns } from "../core/turns.ts";
import type { OpenSession } from "./socket.ts";

/** Served in one turn of the event loop: with the connects and joins that follow them about 10 ms. */
export const HANDSHAKES_PER_TURN = 64;

export class Handshakes {
  readonly #turns: Turns;

  constructor(timers: Pick<Timers, "soon">) {
    this.#turns = new Turns(timers, HANDSHAKES_PER_TURN);
  }

  /** Resolves when the handshake's turn is; undefined: at once. Apps take turns: one's storm does not keep another's clients out. */
  turn(app = ""): Promise<void> | undefined {
    if (this.#turns.take(app, 1)) return undefined;
    return new Promise((resolve) => {
      this.#turns.enter({ party: app, cost: 1, run: resolve });
    });
  }
}

/** `""` keeps the header out of the answer; without it Bun would choose the first subprotocol that was offered. */
export function protocolHeader(accepted: OpenSession): Record<string, string> {
  return { "Sec-WebSocket-Protocol": accepted.subprotocol ?? "" };
}

export function wantsWebSocket(request: Request): boolean {
  const upgrade = request.headers.get("upgrade");
  return request.method === "GET" && upgrade !== null && /\bwebsocket\b/i.test(upgrade);
}

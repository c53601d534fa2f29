/**
 * When frames from WebSockets are handled. What many clients send at once, such as the connects and joins behind their handshakes, would
 * be handled in one turn of the event loop, since Bun hands it over in one.
 */
import type { Timers } from "../core/runtime.ts";
import { Turns } from "../core/turns.ts";
import type { FrameTurns } from "./session-socket.ts";

/** Handled in one turn of the event loop: connects and joins, which cost most, take about 10 ms. */
export const FRAMES_PER_TURN = 128;

/** By party, such as an app: one's frames do not wait for all of another's. */
export function createFrameTurns(timers: Pick<Timers, "soon">): (party: string) => FrameTurns {
  const turns = new Turns(timers, FRAMES_PER_TURN);
  return (party) => ({
    turn: () =>
      turns.take(party, 1)
        ? undefined
        : new Promise((resolve) => turns.enter({ party, cost: 1, run: resolve })),
  });
}

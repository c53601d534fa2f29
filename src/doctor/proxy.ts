/** What stands between: whether it hands over at once what it gets, and leaves quiet connections be. */
import type { Runtime } from "../core/runtime.ts";
import type { OpenClient } from "./client.ts";
import type { Checking } from "./context.ts";
import { exchange, Unreachable } from "./exchange.ts";
import type { Tried } from "./protocol.ts";

/** The first bytes of a stream come at once; a proxy that buffers waits for its end. */
const FIRST_BYTE_MS = 3_000;
/** Behind the time of the server's next frame. */
const LATE_MS = 3_000;
/** Longer pauses are not waited for. */
const SILENCE_MS_MAX = 35_000;
/** Part of the longest pause that shows what a whole one would. */
const ENOUGH = 0.8;
/** Shorter ones say nothing of time-outs. */
const SILENCE_MS_MIN = 5_000;

export async function checkBuffering(
  checking: Checking,
  { client, dialect }: Tried,
): Promise<void> {
  if (client.streamPath === undefined) return;
  const { findings, clientsUrl, runtime } = checking;
  const url = new URL(clientsUrl + client.streamPath);
  const accept = { accept: "text/event-stream" };
  try {
    const timing = { timers: runtime.timers, timeoutMs: FIRST_BYTE_MS };
    await exchange(url, { ...timing, headers: accept, until: "first byte" });
  } catch (error) {
    if (!(error instanceof Unreachable)) throw error;
    findings.add({
      ...{ severity: "error", id: "buffering", about: [dialect] },
      message:
        "What the server streams does not arrive: the proxy keeps it until the end of the answer",
      remedy: "Switch buffering off. nginx: proxy_buffering off; Caddy: flush_interval -1",
    });
  }
}

/** Keeps still until the server was quiet for about as long as it ever is, and still is there. */
export async function checkIdle(checking: Checking, tried: readonly Tried[]): Promise<void> {
  const { findings, runtime, onWait } = checking;
  const quiet = tried.filter(({ open: { silenceMs = 0 } }) => silenceMs >= SILENCE_MS_MIN);
  const [longest] = quiet.toSorted((a, b) => (b.open.silenceMs ?? 0) - (a.open.silenceMs ?? 0));
  if (longest === undefined) return;
  const { dialect, open } = longest;
  const pauseMs = Math.min(open.silenceMs ?? 0, SILENCE_MS_MAX);
  onWait("a connection on which nothing is sent", pauseMs);
  let pause = await waitForFrame(runtime, open, pauseMs);
  // The first ping may come early.
  if (pause.end === "heard" && pause.ms < pauseMs * ENOUGH) {
    pause = await waitForFrame(runtime, open, pauseMs);
  }
  if (pause.end === "heard" || (pause.end === "over" && pauseMs === SILENCE_MS_MAX)) return;
  const seconds = Math.round(pause.ms / 1000);
  const pings = `the server's pings, every ${Math.round((open.silenceMs ?? 0) / 1000)} s`;
  findings.add({
    ...{ severity: "error", id: "idle", about: [dialect] },
    message:
      pause.end === "over"
        ? `Nothing comes any more over a connection that was quiet for ${seconds} s`
        : `A quiet connection was cut after ${seconds} s, before ${pings}`,
    remedy: `Raise the proxy's or balancer's time-out above ${pings} (nginx: proxy_read_timeout 75s), or lower ping_interval below it`,
  });
}

/** How long it was quiet, and what ended that. */
async function waitForFrame(
  { clock, timers }: Runtime,
  open: OpenClient,
  pauseMs: number,
): Promise<{ readonly end: "heard" | "cut" | "over"; readonly ms: number }> {
  const startMs = clock.monotonicMs();
  const over = Promise.withResolvers<"over">();
  const timer = timers.after(pauseMs + LATE_MS, () => over.resolve("over"));
  const heard = open.heard().then(() => "heard" as const);
  const cut = open.ended.then(() => "cut" as const);
  const end = await Promise.race([heard, cut, over.promise]);
  timer.cancel();
  return { end, ms: clock.monotonicMs() - startMs };
}

/**
 * What the server's parts tell, as lines of the log: events at level debug, a refused origin as one warning, and a failure that goes
 * on as one error and its end.
 */
import { HubError, type DisconnectCode, type HubErrorCode } from "../core/errors.ts";
import type { Runtime, Timer } from "../core/runtime.ts";
import type { Logger } from "./log.ts";
import { createRefusals, type Refusals } from "./refusals.ts";

/** Pairs of app and origin that were warned of; beyond it further ones are at level debug alone. */
export const WARNED_ORIGINS_MAX = 1_000;
/** What is kept of an origin, which anyone may send. */
const ORIGIN_CHARACTERS_MAX = 200;
/** Reasons that are told apart while they last; beyond it further ones count as one. */
export const REASONS_MAX = 100;
/** How long a failure has not been met before it may be over, and how often that is looked at. */
export const QUIET_MS = 5_000;

type About = Readonly<Record<string, unknown>>;

export interface ToldOptions {
  readonly log: Logger;
  readonly runtime: Pick<Runtime, "clock" | "timers">;
  /** Whether the engine can serve. */
  readonly ready: () => Promise<boolean>;
}

export interface Told {
  /** For a dialect, or for what is none; of one of its apps. A token or payload is in neither. */
  onEvent(dialect?: string, app?: string): (event: string, about: About) => void;
  /** A bug, each time; what cannot be done now, once for each reason until it is over. */
  failed(error: unknown, about: About, message: string): void;
  /** A browser's page that was refused without a dialect. */
  readonly originRefused: (about: {
    readonly app: string | undefined;
    readonly origin: string;
  }) => void;
  /** Of what was told the refusals, the last ones. */
  readonly refusals: Refusals;
  close(): void;
}

interface Failure {
  times: number;
  lastMs: number;
}

export function createTold({ log, runtime, ready }: ToldOptions): Told {
  const refusals = createRefusals(runtime.clock);
  const warned = new Set<string>();
  const failures = new Map<string, Failure>();
  let timer: Timer | undefined;
  let closed = false;

  function originRefused(about: About): void {
    const origin = String(about["origin"]).slice(0, ORIGIN_CHARACTERS_MAX);
    const line = { ...about, word: "origin_refused", origin };
    const detail = "If the page is yours, add its origin to the app's allowed_origins";
    refusals.tell("Origin refused", { ...line, detail });
    const key = `${String(about["app"])} ${origin}`;
    if (warned.has(key) || warned.size >= WARNED_ORIGINS_MAX) {
      log.debug(line, "Origin refused");
      return;
    }
    warned.add(key);
    log.warn({ ...line, detail }, "Origin refused");
    if (warned.size === WARNED_ORIGINS_MAX) {
      log.warn("Very many origins are refused: further ones are told at level debug");
    }
  }

  function failed(error: unknown, about: About, message: string): void {
    const word: HubErrorCode | DisconnectCode =
      error instanceof HubError ? error.code : "internal_error";
    if (!(error instanceof HubError) || error.code !== "unavailable") {
      log.error({ err: error, word, ...about }, message);
      return;
    }
    const lastMs = runtime.clock.monotonicMs();
    let reason = reasonOf(error);
    if (failures.size >= REASONS_MAX && !failures.has(reason)) reason = "others";
    const known = failures.get(reason);
    if (known !== undefined) {
      known.times += 1;
      known.lastMs = lastMs;
      return;
    }
    failures.set(reason, { times: 1, lastMs });
    log.error({ err: error, word, ...about }, message);
    if (timer === undefined) lookLater();
  }

  function lookLater(): void {
    timer = closed ? undefined : runtime.timers.after(QUIET_MS, () => void look());
  }

  async function look(): Promise<void> {
    const works = await ready().catch(() => false);
    const quietSinceMs = runtime.clock.monotonicMs() - QUIET_MS;
    for (const [reason, { times, lastMs }] of failures) {
      if (!works || lastMs > quietSinceMs) continue;
      failures.delete(reason);
      log.info({ reason, times }, "A failure is over");
    }
    timer = undefined;
    if (failures.size > 0) lookLater();
  }

  return {
    onEvent(dialect, app) {
      const whose = {
        ...(dialect === undefined ? {} : { dialect }),
        ...(app === undefined ? {} : { app }),
      };
      return (event, about) => {
        if (event === "Origin refused") return originRefused({ ...whose, ...about });
        // Each connect tells of two that nobody mostly looks at: their lines are not put together.
        if (!refusals.keeps(event) && !log.isLevelEnabled("debug")) return;
        const line = { ...whose, ...about };
        refusals.tell(event, line);
        log.debug(line, event);
      };
    },
    failed,
    originRefused,
    refusals,
    close() {
      closed = true;
      timer?.cancel();
    },
  };
}

function reasonOf({ message, cause }: HubError): string {
  return cause instanceof Error ? `${message}: ${cause.message}` : message;
}

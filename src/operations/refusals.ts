/** The last refusals on this node with their reasons, in memory: what somebody looks for who asks why a client or call was refused. */
import type { Clock } from "../core/runtime.ts";

/** Refusals that a node keeps, whoever is refused how often: the oldest makes way. */
export const REFUSALS_KEPT_MAX = 500;
/** Characters that are kept of a text: anyone may send an origin or a method. */
const TEXT_CHARACTERS_MAX = 300;
/** Rows among which a repetition is looked for: one attempt may be refused by several events. */
const REPEATS_LOOKED_BACK = 4;
/** Further members of an event are left out. */
const MEMBERS_MAX = 12;

/** By the names that dialects tell them by (`EventName`). */
const REFUSALS: ReadonlySet<string> = new Set([
  ...["Origin refused", "Connect refused", "Frame refused", "Command refused", "Login refused"],
  ...["API call refused", "Push left out", "Channel left out"],
]);

export interface RefusalRow {
  /** Rises with time, on all nodes together. */
  readonly key: string;
  readonly atMs: number;
  readonly event: string;
  /** `admin` and dialects; absent: a request that was refused before one was asked. */
  readonly dialect?: string;
  /** Absent where the event does not say. */
  readonly app?: string;
  readonly detail: string;
  /** Alike, and soon one behind the other. */
  readonly times: number;
  /** What else was told of it: connection, address, code, method, … */
  readonly about: Readonly<Record<string, string | number | boolean>>;
}

export interface RefusalQuery {
  readonly limit: number;
  /** Only older ones. */
  readonly before?: string;
  readonly dialect?: string;
  /** That is asked: a part of the keys, so that no two are alike. */
  readonly node: string;
  readonly app: string;
  /** Also those of which nothing says whose they are. */
  readonly ofNobody: boolean;
}

export interface Refusals {
  /** Whether it is one. */
  keeps(event: string): boolean;
  /** Keeps it if it is one. */
  tell(event: string, about: Readonly<Record<string, unknown>>): void;
  /** Newest first. */
  list(query: RefusalQuery): readonly RefusalRow[];
}

type Kept = Omit<RefusalRow, "key"> & { readonly sequence: number };

export function createRefusals(clock: Pick<Clock, "epochMs">): Refusals {
  /** A ring, of which `sequence` says where the next one goes. */
  const ring: Kept[] = [];
  let sequence = 0;

  return {
    keeps: (event) => REFUSALS.has(event),

    tell(event, { dialect, app, detail, ...more }) {
      if (!REFUSALS.has(event)) return;
      const row = {
        event,
        ...(dialect === undefined ? {} : { dialect: textOf(dialect) }),
        ...(app === undefined ? {} : { app: textOf(app) }),
        detail: textOf(detail ?? ""),
        about: aboutOf(more),
      };
      const atMs = clock.epochMs();
      for (let back = 1; back <= REPEATS_LOOKED_BACK; back++) {
        const at = (sequence - back) % REFUSALS_KEPT_MAX;
        const known = ring[at];
        if (known === undefined || !isLike(known, row)) continue;
        ring[at] = { ...known, atMs, times: known.times + 1 };
        return;
      }
      ring[sequence % REFUSALS_KEPT_MAX] = { ...row, atMs, times: 1, sequence };
      sequence += 1;
    },

    list({ limit, before, dialect, app, ofNobody, node }) {
      return ring
        .filter(
          (row) =>
            (dialect === undefined || row.dialect === dialect) &&
            (row.app === undefined ? ofNobody : row.app === app),
        )
        .map(({ sequence: at, ...row }) => ({ ...row, key: `${keyOf(row.atMs, at)}/${node}` }))
        .filter(({ key }) => before === undefined || key < before)
        .sort((a, b) => (a.key < b.key ? 1 : -1))
        .slice(0, limit);
    },
  };
}

/** Of as many digits for every moment, so that the order of texts is that of numbers. */
function keyOf(atMs: number, sequence: number): string {
  return `${String(atMs).padStart(16, "0")}/${String(sequence).padStart(16, "0")}`;
}

function isLike(last: Kept, row: Pick<Kept, "event" | "dialect" | "app" | "detail" | "about">) {
  return (
    last.event === row.event &&
    last.dialect === row.dialect &&
    last.app === row.app &&
    last.detail === row.detail &&
    JSON.stringify(last.about) === JSON.stringify(row.about)
  );
}

function aboutOf(more: Readonly<Record<string, unknown>>): Kept["about"] {
  const said = Object.entries(more).filter(([, value]) => value !== undefined && value !== null);
  return Object.fromEntries(
    said.slice(0, MEMBERS_MAX).map(([name, value]) => {
      const short = typeof value === "number" || typeof value === "boolean";
      return [name, short ? value : textOf(value)] as const;
    }),
  );
}

function textOf(value: unknown): string {
  const text = typeof value === "string" ? value : (JSON.stringify(value) ?? String(value));
  if (text.length <= TEXT_CHARACTERS_MAX) return text.toWellFormed();
  // A copy, since a part of a text keeps the whole in memory.
  return Buffer.from(`${text.slice(0, TEXT_CHARACTERS_MAX)}…`).toString();
}

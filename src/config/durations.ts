/** Durations as people write them in the configuration, and as milliseconds behind it. */
import { z } from "zod";

const UNIT_MS = { h: 3_600_000, m: 60_000, s: 1000, ms: 1 } as const;
const DURATION = /^(?:\d+(?:\.\d+)?(?:h|ms|m|s))+$/;
const PART = /(\d+(?:\.\d+)?)(h|ms|m|s)/g;
const DAY_MS = 24 * UNIT_MS.h;

/** Ten years: anything longer is a mistake of unit. */
const DURATION_MS_MAX = 3650 * DAY_MS;

/** Runtimes fire a timer of more than 2^31 - 1 milliseconds (24.8 days) at once. */
export const TIMER_MS_MAX = 24 * DAY_MS;

const EXAMPLES = 'a duration such as "300s", "1m30s", "720h" or "500ms", or a number of seconds';

/**
 * Milliseconds of `"1m30s"`, `"500ms"`, `"1.5h"`; a number, also as text, counts seconds.
 * Undefined for anything else, negative numbers included.
 */
export function parseDuration(value: string | number): number | undefined {
  const text = String(value).trim();
  if (/^\d+(?:\.\d+)?$/.test(text)) return Math.round(Number(text) * UNIT_MS.s);
  if (!DURATION.test(text)) return undefined;
  let totalMs = 0;
  for (const [, amount, unit] of text.matchAll(PART)) {
    totalMs += Number(amount) * UNIT_MS[unit as keyof typeof UNIT_MS];
  }
  return Math.round(totalMs);
}

/** The shortest text in one unit that `parseDuration` reads back as the same number. */
export function formatDuration(durationMs: number): string {
  if (durationMs === 0) return "0s";
  for (const [unit, unitMs] of Object.entries(UNIT_MS)) {
    if (durationMs % unitMs === 0) return `${durationMs / unitMs}${unit}`;
  }
  return `${durationMs}ms`;
}

// Shared: each schema costs a start as much as the rest of its setting.
const WRITTEN = z.custom<string | number>(
  (value) => typeof value === "string" || typeof value === "number",
  `must be ${EXAMPLES}`,
);
const MILLISECONDS = z.number();

/** A key that holds a duration; its value behind the schema is in milliseconds. */
export function duration(bounds: { readonly minMs?: number; readonly maxMs?: number } = {}) {
  const { minMs = 0, maxMs = DURATION_MS_MAX } = bounds;
  return z
    .codec(WRITTEN, MILLISECONDS, {
      decode: (value, context) => {
        const durationMs = parseDuration(value);
        const problem =
          durationMs === undefined
            ? `must be ${EXAMPLES}`
            : durationMs < minMs
              ? `must be at least "${formatDuration(minMs)}"`
              : durationMs > maxMs
                ? `must be at most "${formatDuration(maxMs)}"`
                : undefined;
        if (durationMs !== undefined && problem === undefined) return durationMs;
        context.issues.push({ code: "custom", input: value, message: problem ?? "" });
        return z.NEVER;
      },
      encode: formatDuration,
    })
    .meta({ type: "duration" });
}

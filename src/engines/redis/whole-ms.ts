/** Milliseconds as the scripts compare them: whole, not negative, and not beyond what a number holds. */
export function wholeMs(ms: number): number {
  return Math.max(0, Math.min(Math.ceil(ms), Number.MAX_SAFE_INTEGER));
}

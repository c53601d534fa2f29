/** Microseconds since the epoch, comparable between processes: a publisher's schedule and a subscriber's arrival. */

let offsetUs = calibrate();

/** Whole microseconds. */
export function epochUs(): number {
  return Math.floor(performance.now() * 1000 + offsetUs);
}

/** Follows the system's clock again; `performance.now` alone may drift from it in a long run. */
export function recalibrate(): void {
  offsetUs = calibrate();
}

/** At the moment at which `Date.now` turns to its next millisecond both clocks are known to the microsecond. */
function calibrate(): number {
  const startMs = Date.now();
  let nowMs = startMs;
  while (nowMs === startMs) nowMs = Date.now();
  return nowMs * 1000 - performance.now() * 1000;
}

/**
 * The server, whose event loop is watched from one SIGUSR2 to the next: then it prints what its turns took, as a line of JSON. Processor
 * time says what a turn costs, whatever else the machine does; time by the clock what somebody waits.
 */
import "../../src/cli/main.ts";

const TURNS_MAX = 4_000_000;

export interface WatchedTurns {
  /** Milliseconds of processor time: of the longest turn, and of the turn that one moment in a hundred of the work falls beyond. */
  readonly cpuMs: { readonly p99: number; readonly max: number };
  /** Likewise by the clock. */
  readonly clockMs: { readonly p99: number; readonly max: number };
}

const cpuUs = new Float64Array(TURNS_MAX);
const clockUs = new Float64Array(TURNS_MAX);
let turns = 0;
let watching = false;
let before = now();

function now() {
  const { user, system } = process.cpuUsage();
  return { cpuUs: user + system, clockUs: performance.now() * 1000 };
}

function turn(): void {
  const after = now();
  if (turns < TURNS_MAX) {
    cpuUs[turns] = after.cpuUs - before.cpuUs;
    clockUs[turns] = after.clockUs - before.clockUs;
    turns += 1;
  }
  before = after;
  if (watching) setImmediate(turn);
}

/** A turn counts by its length, as it does for whoever comes during it. Below half a millisecond the loop only turned to be watched. */
function summary(timesUs: Float64Array) {
  const times = timesUs.slice(0, turns).sort();
  const busy = times.filter((us) => us > 500);
  const total = busy.reduce((sum, us) => sum + us, 0);
  let left = total / 100;
  let p99 = 0;
  for (const us of busy.toReversed()) {
    p99 = us;
    left -= us;
    if (left <= 0) break;
  }
  return { p99: p99 / 1000, max: (times.at(-1) ?? 0) / 1000 };
}

process.on("SIGUSR2", () => {
  watching = !watching;
  if (watching) {
    turns = 0;
    before = now();
    setImmediate(turn);
  } else {
    const watched: WatchedTurns = { cpuMs: summary(cpuUs), clockMs: summary(clockUs) };
    console.log(JSON.stringify(watched));
  }
});

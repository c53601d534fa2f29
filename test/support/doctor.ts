/** The doctor at a booted server, on one clock with it. */
import { examine, type DoctorOptions, type Report } from "../../src/doctor/index.ts";
import { ask } from "../../src/cli/http.ts";
import { developmentFile, validate } from "../../src/dialects/configuration.ts";
import { DIALECTS } from "../../src/dialects/list.ts";
import { createTestRuntime, type TestRuntime } from "./runtime.ts";
import type { BootedServer } from "./server.ts";

/** A server's time must not be behind its callers'. */
const AHEAD_MS = 60_000;

/** Begins somewhat ahead of the machine's time, and moves as the test says. */
export function presentRuntime(): TestRuntime {
  const runtime = createTestRuntime();
  runtime.setClock(Date.now() + AHEAD_MS - runtime.clock.epochMs());
  return runtime;
}

export interface Examined extends Partial<DoctorOptions> {
  /** What the operator's file says, over the development configuration. */
  readonly file?: object;
  /** How far this machine's clock is ahead. */
  readonly clockOffMs?: number;
}

export function examined(
  server: Pick<BootedServer, "clientsUrl" | "apiUrl">,
  { file, clockOffMs = 0, runtime = presentRuntime(), ...options }: Examined,
): Promise<Report> {
  const checked = validate({ ...developmentFile(), ...file });
  if (!("config" in checked)) throw new Error(JSON.stringify(checked.problems));
  const { config } = checked;
  const [app] = config.apps;
  if (app === undefined) throw new Error("The configuration has no app");
  return examine({
    ...{ config, app, clientsUrl: server.clientsUrl, apiUrl: server.apiUrl },
    ...{ key: "dev-api-key", developmentKey: "dev-api-key", token: undefined, channel: undefined },
    ...{ origins: [], quick: true, dialects: DIALECTS, post: ask },
    onWait: () => {},
    runtime: {
      ...runtime,
      // HTTP's dates are the machine's, whatever the test's time.
      clock: { ...runtime.clock, epochMs: () => Date.now() + clockOffMs },
    },
    ...options,
  });
}

export function idsOf({ findings }: Report): readonly string[] {
  return findings.map(({ id }) => id);
}

/** What every check is given. */
import type { Runtime } from "../core/runtime.ts";
import type { App } from "../config/schema.ts";
import type { Config } from "../dialects/configuration.ts";
import type { Dialect } from "../dialects/dialect.ts";
import type { AskedProbe } from "../dialects/probe.ts";
import type { Findings } from "./report.ts";

/** What is waited for at the most, for one answer. */
export const ANSWER_MS = 5_000;

export interface Checking {
  readonly config: Config;
  readonly app: App;
  /** Neither has a slash at its end. */
  readonly clientsUrl: string;
  readonly apiUrl: string;
  readonly key: string | undefined;
  readonly developmentKey: string | undefined;
  readonly token: string | undefined;
  readonly channel: string | undefined;
  /** Pages whose origins are to be let in. */
  readonly origins: readonly string[];
  /** Without what takes longer than some seconds. */
  readonly quick: boolean;
  readonly runtime: Runtime;
  readonly dialects: readonly Dialect[];
  readonly post: AskedProbe["post"];
  /** Told of what takes a while, as it begins. */
  readonly onWait: (what: string, ms: number) => void;
  readonly findings: Findings;
}

/** A server that is for this machine alone. */
export function isLocal(url: string): boolean {
  const { hostname } = new URL(url);
  return hostname === "localhost" || hostname === "[::1]" || /^127\./.test(hostname);
}

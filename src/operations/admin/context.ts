/** What the admin API's own calls share: the apps with their hubs, and who serves what. */
import type { AppEngine } from "../../core/engine.ts";
import type { Hub } from "../../core/hub.ts";
import type { Runtime } from "../../core/runtime.ts";
import { ofApp, type AdminCall } from "../../dialects/admin-operation.ts";
import type { Refusals } from "../refusals.ts";
import type { ServerMetrics } from "../metrics.ts";

export interface AdminApp {
  readonly id: string;
  readonly hub: Hub;
  readonly engine: AppEngine;
}

export interface AdminContext {
  /** By id; the first one is meant where nothing says which. */
  readonly apps: ReadonlyMap<string, AdminApp>;
  readonly dialects: readonly string[];
  /** Spaces of their own in which dialects hear what is published to a shared channel. */
  readonly hearsIn: readonly string[];
  readonly version: string;
  readonly engineName: string;
  readonly development: boolean;
  readonly runtime: Runtime;
  readonly metrics: ServerMetrics;
  readonly refusals: Refusals;
}

/** Of a call, which names one that is served. */
export function appOf({ apps }: AdminContext, call: Pick<AdminCall, "app">): AdminApp {
  return ofApp(apps, call);
}

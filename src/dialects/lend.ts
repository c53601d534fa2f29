/** What the server lends to each dialect, and the setting up of all that are enabled. */
import { createApiCallers } from "../auth/api-callers.ts";
import { createApiKeys } from "../auth/api-keys.ts";
import { createAppKeys } from "../auth/app-keys.ts";
import { loadMasterKeys } from "../auth/load-master-keys.ts";
import type { MasterKeys } from "../auth/master-key.ts";
import { DEVELOPMENT_API_KEY_HASH } from "../config/development-guard.ts";
import { isLoopback } from "../core/networks.ts";
import { createNamespaces } from "../config/namespaces.ts";
import { reservedSegments } from "../config/apps.ts";
import { isServed } from "../config/part.ts";
import type { BaseConfig } from "../config/schema.ts";
import { createHub } from "../core/create-hub.ts";
import { HubError } from "../core/errors.ts";
import type { Engine } from "../core/engine.ts";
import { PublishTurns } from "../core/publish-turns.ts";
import type { Runtime } from "../core/runtime.ts";
import type { Schedule } from "../core/schedule.ts";
import type { ServerMetrics } from "../operations/metrics.ts";
import type { Told } from "../operations/told.ts";
import { OutboundError } from "../outbound/contract.ts";
import { postJson } from "../outbound/fetch-json.ts";
import { PublishLimit } from "./publish-limit.ts";
import {
  limitHit,
  type Dialect,
  type Lent,
  type LentApp,
  type PostJson,
  type Served,
} from "./dialect.ts";
import type { Explaining } from "./explaining.ts";

export interface LendOptions extends Explaining {
  readonly config: BaseConfig;
  /** All that the build speaks. */
  readonly dialects: readonly Dialect[];
  readonly version: string;
  readonly told: Told;
  readonly engine: Engine;
  readonly runtime: Runtime;
  readonly schedule: Schedule;
  readonly metrics: ServerMetrics;
  /** An exception that nobody awaits. */
  readonly onBug: (error: unknown) => void;
  readonly clientsUrl: () => string;
  readonly createPeers: Lent["createPeers"];
}

/** All but what names the dialect in the log. */
export interface LentToAll extends Omit<Lent, "onError" | "onEvent" | "apps"> {
  readonly apps: readonly AppToLend[];
}

type AppToLend = Omit<LentApp, "onEvent">;

export function lend(options: LendOptions): LentToAll {
  const { config, version, engine, runtime, schedule, metrics, clientsUrl } = options;
  const { createPeers } = options;
  const apiKeys = createApiKeys(config.api_keys);
  const onLoopback = isLoopback(config.api.host) && !config.api.on_clients;
  let masterKeys: MasterKeys | undefined;
  return {
    ...{ config, version, runtime, schedule, metrics, clientsUrl, createPeers },
    explainsRefusals: options.explainsRefusals,
    postJson: postJsonBy(runtime),
    engineName: engine.name,
    apps: lentApps(options),
    masterKeys: () => (masterKeys ??= loadMasterKeys(config)),
    callers: createApiCallers({
      ...{ keys: apiKeys, apps: config.apps, publicHash: DEVELOPMENT_API_KEY_HASH },
      onForeignPage: options.told.originRefused,
      onLoopback,
    }),
    reservedSegments: reservedSegments(options.dialects),
    findApiKey: (key) => apiKeys.find(key),
    onLoopback,
  };
}

function postJsonBy({ timers }: Runtime): PostJson {
  return async (call) => {
    try {
      // The operator named the address, so it may be a private one.
      return await postJson({ ...call, timers, allowAddress: () => true });
    } catch (error) {
      if (!(error instanceof OutboundError)) throw error;
      throw new HubError("unavailable", error.message, { cause: error });
    }
  };
}

function lentApps(options: LendOptions): readonly AppToLend[] {
  const { config, dialects, engine, runtime, metrics, onBug } = options;
  const namespaces = createNamespaces(dialects, config);
  const uses = dialects.flatMap(({ keyUses }) => keyUses);
  const turns = config.apps.length > 1 ? new PublishTurns(runtime) : undefined;
  return config.apps.map((app) => {
    const { id } = app;
    const own = engine.app(id);
    const hub = createHub({
      ...{ app: id, namespaces, engine: own, runtime, turns, onBug },
    });
    metrics.watch(hub);
    const keys = createAppKeys({ config, app: id, runtime, uses });
    const publishLimit = new PublishLimit(config.api.publishes_in_flight_max, () =>
      limitHit(metrics, "api.publishes_in_flight_max"),
    );
    return { config: app, hub, engine: own, keys, authorities: [], publishLimit };
  });
}

export interface ServedDialect extends Served {
  readonly name: string;
}

/** One after the other: a later one may build on what an earlier one registered. */
export async function setUpEach(
  dialects: readonly Dialect[],
  lent: LentToAll,
  told: Told,
): Promise<readonly ServedDialect[]> {
  const all: ServedDialect[] = [];
  for (const dialect of dialects) {
    if (!isServed(dialect, lent.config)) continue;
    const { name } = dialect;
    const onEvent = told.onEvent(name);
    const served = await dialect.setUp({
      ...lent,
      apps: lent.apps.map((app) => ({ ...app, onEvent: told.onEvent(name, app.config.id) })),
      onError: (error, about) =>
        told.failed(error, { dialect: name, ...about }, "A command failed"),
      onEvent,
    });
    if (served !== undefined) all.push({ ...served, name });
  }
  return all;
}

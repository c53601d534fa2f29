/** From the configuration to what the gusher dialect is told: settings, keys and apps. */
import type { Config } from "../../config/schema.ts";
import { enabledDialects } from "../../config/schema.ts";
import type { OwnedHub } from "../../core/create-hub.ts";
import type { Engine } from "../../core/engine.ts";
import type { SessionServices } from "../dialect.ts";
import type { GusherContext, GusherSettings } from "./context.ts";
import { checkRegisteredClaims } from "./tokens.ts";
import { createAppKeys } from "../../auth/app-keys.ts";

export interface GusherAppsOptions extends SessionServices {
  readonly config: Config;
  readonly hubs: ReadonlyMap<string, OwnedHub>;
  readonly engine: Engine;
}

/** By app id, which is the app's `app_key`. Empty when the dialect is not enabled. */
export function createGusherApps(options: GusherAppsOptions): Map<string, GusherContext> {
  const { config, hubs, engine, runtime, schedule, metrics, onError, onEvent } = options;
  const apps = new Map<string, GusherContext>();
  if (!enabledDialects(config).includes("gusher")) return apps;
  const settings = settingsOf(config);
  for (const [id, hub] of hubs) {
    const { records, queue, lists } = engine.app(id);
    const onLists = config.gusher.remote_jobs === "redis_list";
    if (onLists && lists === undefined) {
      throw new Error(`The engine "${engine.name}" has no lists for \`gusher.remote_jobs\``);
    }
    // Times are the dialect's own to judge: its `exp` is the last second inside (§4).
    const keys = createAppKeys({ config, app: id, runtime })("gusher", { checkTimes: false });
    apps.set(id, {
      hub,
      settings,
      records,
      queue,
      ...(onLists && lists !== undefined ? { jobLists: lists } : {}),
      verify: async (jwt) => checkRegisteredClaims(await keys.verify(jwt), runtime.clock),
      runtime,
      schedule,
      metrics,
      onError,
      onEvent,
    });
  }
  return apps;
}

function settingsOf({ gusher, channel }: Config): GusherSettings {
  return {
    tokenTtlMs: gusher.token_ttl,
    messageBytesMax: gusher.message_size_limit,
    bufferedBytesMax: gusher.queue_max_size,
    pingIntervalMs: gusher.ping_interval,
    pongTimeoutMs: gusher.pong_timeout,
    dropIdle: gusher.drop_idle,
    grantStarEmpty: gusher.grant_star_empty,
    strictPing: gusher.strict_ping,
    strictMultiSubscribe: gusher.strict_multi_subscribe,
    strictReload: gusher.strict_reload,
    strictBinary: gusher.strict_binary,
    strictClose: gusher.strict_close,
    channelLimit: gusher.channel_limit,
    userConnectionLimit: gusher.user_connection_limit,
    connectionLimit: gusher.connection_limit,
    channelBytesMax: channel.max_length,
    commandsPerSecondMax: gusher.commands_per_second_max,
  };
}

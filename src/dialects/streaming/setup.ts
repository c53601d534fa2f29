/** From the configuration to what the streaming dialect is told: settings, keys and apps. */
import { createAuthorities, type RegisteredAuthority } from "../../auth/authorities.ts";
import type { Config } from "../../config/schema.ts";
import type { OwnedHub } from "../../core/create-hub.ts";
import type { Runtime } from "../../core/runtime.ts";
import type { SessionServices } from "../dialect.ts";
import { createTokenAuthority, type VerifyToken } from "./authority.ts";
import { createEncoders } from "./encoders.ts";
import type { StreamingApp } from "./index.ts";
import type { StreamingSettings } from "./settings.ts";
import { createAppKeys } from "../../auth/app-keys.ts";

export interface StreamingAppsOptions extends SessionServices {
  readonly config: Config;
  readonly hubs: ReadonlyMap<string, OwnedHub>;
  readonly version: string;
  /** Of other dialects, by app id. */
  readonly authorities: ReadonlyMap<string, readonly RegisteredAuthority[]>;
}

export function createStreamingApps(options: StreamingAppsOptions): Map<string, StreamingApp> {
  const { config, hubs, runtime, schedule, metrics, version, authorities, onError, onEvent } =
    options;
  const settings = settingsOf(config, version);
  const encoders = createEncoders();
  const apps = new Map<string, StreamingApp>();
  for (const app of config.apps) {
    const hub = hubs.get(app.id);
    if (hub === undefined) continue;
    const verify = verifierOf(config, app.id, runtime);
    const ownRules = createTokenAuthority({ verify, userIdClaim: config.streaming.user_id_claim });
    const authority = createAuthorities(ownRules, authorities.get(app.id) ?? []);
    apps.set(app.id, {
      hub,
      settings,
      authority,
      encoders,
      runtime,
      schedule,
      metrics,
      onError,
      onEvent,
      allowedOrigins: app.allowed_origins,
    });
  }
  return apps;
}

function verifierOf(config: Config, app: string, runtime: Runtime): VerifyToken {
  const keySet = createAppKeys({ config, app, runtime });
  const sets = {
    connection: keySet("streaming", { kind: "connection" }),
    subscription: keySet("streaming", { kind: "subscription" }),
  };
  return (token, kind) => sets[kind].open(token);
}

function settingsOf(
  { streaming, channel, development }: Config,
  serverVersion: string,
): StreamingSettings {
  const { subscribe_to_user_personal_channel: personal, rpc_ping: rpcPing } = streaming;
  return {
    allowAnonymousConnectWithoutToken: streaming.allow_anonymous_connect_without_token,
    insecure: streaming.insecure,
    disallowAnonymousConnectionTokens: streaming.disallow_anonymous_connection_tokens,
    userIdHttpHeader: streaming.user_id_http_header,
    channelLimit: streaming.channel_limit,
    userConnectionLimit: streaming.user_connection_limit,
    connectionLimit: streaming.connection_limit,
    pingIntervalMs: streaming.ping_interval,
    pongTimeoutMs: streaming.pong_timeout,
    staleCloseDelayMs: streaming.stale_close_delay,
    expiredCloseDelayMs: streaming.expired_close_delay,
    expiredSubCloseDelayMs: streaming.expired_sub_close_delay,
    historyPublicationsMax: streaming.history_max_publication_limit,
    recoveryPublicationsMax: streaming.recovery_max_publication_limit,
    bufferedBytesMax: streaming.queue_max_size,
    messageBytesMax: streaming.message_size_limit,
    bodyBytesMax: streaming.body_size_limit,
    channelBytesMax: channel.max_length,
    commandsPerSecondMax: streaming.commands_per_second_max,
    connectIncludeServerTime: streaming.connect_include_server_time,
    personalChannel: {
      enabled: personal.enabled,
      namespace: personal.personal_channel_namespace,
      singleConnection: personal.single_connection,
    },
    rpcPingMethod: rpcPing.enabled ? rpcPing.method : "",
    explainsBadRequests: development,
    serverVersion,
  };
}

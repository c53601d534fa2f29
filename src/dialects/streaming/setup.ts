/** From the configuration to what the streaming dialect serves. */
import { ApiRefusal, reachOf } from "../../auth/api-callers.ts";
import type { ApiKey } from "../../auth/api-keys.ts";
import { createAuthorities } from "../../auth/authorities.ts";
import type { StreamingConfig } from "./config.ts";
import type { Lent, LentApp, Served } from "../dialect.ts";
import type { ApiContext } from "./api-publish.ts";
import { createTokenAuthority, type VerifyToken } from "./authority.ts";
import { createEncoders } from "./encoders.ts";
import type { Authorize } from "./http.ts";
import { createRoutes, type StreamingApp } from "./routes.ts";
import type { StreamingSettings } from "./settings.ts";

export function setUp(lent: Lent<StreamingConfig>): Served {
  const { config } = lent;
  const apps = streamingApps(lent);
  return createRoutes({
    apps,
    websocketPath: config.streaming.websocket_path,
    apiPath: config.streaming.api_path,
    authorize: authorizeBy(lent, apps),
  });
}

function streamingApps(lent: Lent<StreamingConfig>): ReadonlyMap<string, StreamingApp> {
  const { config, runtime, schedule, metrics, version, onError, onEvent } = lent;
  const settings = settingsOf(config, version);
  const encoders = createEncoders();
  const services = { runtime, schedule, metrics, onError, onEvent };
  return new Map(
    lent.apps.map((app) => {
      const { id, allowed_origins: allowedOrigins } = app.config;
      const ownRules = createTokenAuthority({
        verify: verifierOf(app),
        userIdClaim: config.streaming.user_id_claim,
      });
      const authority = createAuthorities(ownRules, app.authorities);
      const context = { ...services, hub: app.hub, settings, encoders, authority, allowedOrigins };
      return [id, context];
    }),
  );
}

function verifierOf({ keys }: LentApp): VerifyToken {
  const sets = {
    connection: keys.set("streaming", { kind: "connection" }),
    subscription: keys.set("streaming", { kind: "subscription" }),
  };
  return (token, kind) => sets[kind].open(token);
}

function authorizeBy(
  { callers, onEvent }: Lent<StreamingConfig>,
  apps: ReadonlyMap<string, StreamingApp>,
): Authorize {
  // One for each key, made once.
  const contexts = new Map<ApiKey, ApiContext>();
  return (head) => {
    const key = callers.admit(head, { scope: "streaming" });
    if (key instanceof ApiRefusal) {
      onEvent("API call refused", { status: key.status, detail: key.detail });
      return key;
    }
    const known = contexts.get(key);
    if (known !== undefined) return known;
    const app = apps.get(key.app);
    if (app === undefined) throw new Error(`No app "${key.app}"`);
    const context = { ...app, reach: reachOf("streaming", key) };
    contexts.set(key, context);
    return context;
  };
}

function settingsOf(
  { streaming, channel, development }: StreamingConfig,
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

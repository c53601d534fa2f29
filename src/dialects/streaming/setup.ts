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

export function setUp(lent: Lent<StreamingConfig>): Served {
  const { config } = lent;
  const apps = streamingApps(lent);
  return createRoutes({
    apps,
    websocketPath: config.streaming.websocket_path,
    apiPath: config.streaming.api_path,
    authorize: authorizeBy(lent, apps),
    onEvent: lent.onEvent,
  });
}

function streamingApps(lent: Lent<StreamingConfig>): ReadonlyMap<string, StreamingApp> {
  const { config, runtime, schedule, metrics, version, onError } = lent;
  const shared = {
    ...{ runtime, schedule, metrics, onError, serverVersion: version },
    settings: config.streaming,
    channelBytesMax: config.channel.max_length,
    explainsRefusals: lent.explainsRefusals,
    encoders: createEncoders(),
  };
  return new Map(
    lent.apps.map((app) => {
      const { id, allowed_origins: allowedOrigins } = app.config;
      const ownRules = createTokenAuthority({
        verify: verifierOf(app),
        userIdClaim: config.streaming.user_id_claim,
      });
      const authority = createAuthorities(ownRules, app.authorities);
      const { hub, publishLimit, onEvent } = app;
      return [id, { ...shared, hub, publishLimit, onEvent, authority, allowedOrigins }];
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

const NO_APP = new ApiRefusal(401, "Several apps could be meant: send the API key of one");

function authorizeBy(
  { config, callers, onEvent }: Lent<StreamingConfig>,
  apps: ReadonlyMap<string, StreamingApp>,
): Authorize {
  const open = config.streaming.http_auth === "none";
  // One for each key, made once; and for each app, of which no key is asked.
  const contexts = new Map<ApiKey | string, ApiContext>();
  const judge = (call: Parameters<Authorize>[0]): ApiKey | string | ApiRefusal => {
    if (!open) return callers.admit(call, { scope: "streaming" });
    const { app, exclusive } = call.mount;
    return callers.admitOpen(call, exclusive ? app : undefined) ?? app ?? NO_APP;
  };
  return (call) => {
    const holder = judge(call);
    if (holder instanceof ApiRefusal) {
      onEvent("API call refused", {
        ...{ word: holder.word, status: holder.status, detail: holder.detail },
      });
      return holder;
    }
    const known = contexts.get(holder);
    if (known !== undefined) return known;
    const [id, key] = typeof holder === "string" ? [holder, undefined] : [holder.app, holder];
    const app = apps.get(id);
    if (app === undefined) throw new Error(`No app "${id}"`);
    const context = { ...app, reach: reachOf("streaming", key) };
    contexts.set(holder, context);
    return context;
  };
}

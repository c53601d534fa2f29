/** Makes the messaging dialect's routes and services from the configuration. */
import { Hono } from "hono";
import { createIntrospection, type Introspect } from "../../auth/introspection.ts";
import { createOriginCheck } from "../../auth/origins.ts";
import { createPasswords } from "../../auth/passwords.ts";
import type { ApiEnv, ClientsEnv, Lent, LentApp, Served } from "../dialect.ts";
import { messagingAdmin } from "./admin-operations.ts";
import { createBearers } from "./auth/bearers.ts";
import { createEnds } from "./auth/ends.ts";
import { createGate } from "./auth/gate.ts";
import { createIntrospections } from "./auth/introspections.ts";
import { createKeyStore } from "./auth/key-store.ts";
import { createLogins } from "./http-api/logins.ts";
import { createOAuthRoutes } from "./http-api/oauth.ts";
import { messagingOpenApi } from "./http-api/openapi.ts";
import { createSubscriberRoutes } from "./http-api/subscribers.ts";
import { createSubscriberStore } from "./auth/subscriber-store.ts";
import { createChat } from "./chat/index.ts";
import { readMessage } from "./chat/message-data.ts";
import { createReadMessage } from "./client-messages.ts";
import type { MessagingConfig } from "./config.ts";
import type { MessagingContext } from "./context.ts";
import { Departures } from "./departures.ts";
import { createEncoder } from "./encoder.ts";
import { createPresence, type Presence } from "./presence.ts";
import { createSockets } from "./sockets.ts";
import { Telling } from "./telling.ts";

export function setUp(lent: Lent<MessagingConfig>): Served {
  const contexts = contextsOf(lent);
  const { path } = lent.config.messaging;
  return {
    ...httpOf(lent, contexts),
    sockets: createSockets(lent.config.messaging, contexts),
    socketPath: () => path,
    openapi: () => messagingOpenApi(path),
    admin: messagingAdmin(contexts),
    async start() {
      for (const { chat } of contexts.values()) await chat.start();
    },
    stopping() {
      for (const { departures } of contexts.values()) departures.stopping();
    },
    async settle() {
      for (const { departures, presence } of contexts.values()) {
        await departures.settle();
        await presence.close();
      }
    },
  };
}

function httpOf(lent: Lent<MessagingConfig>, contexts: ReadonlyMap<string, MessagingContext>) {
  const { config, callers, runtime, metrics, onEvent, onError, explainsRefusals } = lent;
  const { path, token_ttl: tokenTtlMs, ...settings } = config.messaging;
  const passwords = createPasswords({ atOnceMax: settings.password_hashes_at_once });
  const services = { metrics, onEvent, onError, explainsRefusals };
  const shared = { ...services, contexts, callers, passwords, path, tokenTtlMs };
  const oauth = createOAuthRoutes({
    ...shared,
    checkLogin: createLogins({
      ...{ passwords, metrics, clock: runtime.clock },
      perMinute: settings.logins_per_minute,
      failuresPerMinute: settings.failed_logins_per_minute,
    }),
  });
  const subscribers = createSubscriberRoutes({
    ...shared,
    bodyBytesMax: settings.body_size_limit,
  });
  return {
    clients: new Hono<ClientsEnv>().route("/", oauth),
    api: new Hono<ApiEnv>().route("/", oauth).route("/", subscribers),
  };
}

/** By app id, which is the domain. */
function contextsOf(lent: Lent<MessagingConfig>): ReadonlyMap<string, MessagingContext> {
  const introspect = introspectOf(lent);
  return new Map(
    lent.apps.map((app) => [app.config.id, contextOf(lent, app, introspect)] as const),
  );
}

function contextOf(
  lent: Lent<MessagingConfig>,
  app: LentApp,
  introspect: Introspect | undefined,
): MessagingContext {
  const { config, runtime, schedule, metrics, onError, findApiKey, explainsRefusals } = lent;
  const { hub, engine, keys: appKeys, onEvent } = app;
  const { id: domain, allowed_origins: origins } = app.config;
  const { records } = engine;
  const { clock } = runtime;
  const subscribers = createSubscriberStore({ records, clock });
  const keysMax = config.messaging.key_limit;
  const keys = createKeyStore({ records, clock, subscribers, keysMax, metrics });
  const bearers = createBearers({
    ...{ records, subscribers, keys, clock },
    jwtKeys: appKeys.set("messaging"),
    isApiKey: (text) => findApiKey(text)?.app === domain,
    askAbout: introspect && createIntrospections(introspect, clock),
  });
  const gate = createGate({
    ...{ app: domain, bearers, onEvent, onError, explainsRefusals },
    // Its credential is in the URL, never in a cookie, so without a list any page may.
    allowsOrigin: origins.length === 0 ? () => true : createOriginCheck(origins),
    onRefused: (word) => metrics.count("connections_refused", { dialect: "messaging", word }),
  });
  const aside = (doing: string) => (error: unknown) => onError(error, { connection: "", doing });
  const settings = config.messaging;
  const chat = createChat({
    ...{ hub, records, runtime, settings, subscribers },
    onError: aside("keeping conversations"),
  });
  const presence: Presence = createPresence({
    ...{ engine, runtime, lingerMs: settings.presence_linger },
    onChange: (state) => telling.availability(state),
    onError: aside("telling of availability"),
  });
  const telling = new Telling({ hub, chat, presence, onError: aside("telling of a message") });
  const onDeactivated = async (id: string) => {
    for (const left of await chat.channels.leaveAll(id)) {
      await telling.left(id, left, { cause: "deactivated" });
    }
  };
  return {
    ...{ domain, hub, engine, gate, subscribers, keys, bearers },
    ...{ runtime, schedule, metrics, onError, onEvent, explainsRefusals },
    ...{ settings, chat, presence, telling },
    ends: createEnds({ hub, onDeactivated }),
    readMessage: createReadMessage(settings),
    encoder: createEncoder({ app: domain, readMessage, runtime }),
    departures: new Departures(chat, presence),
  };
}

/** One for all apps; each app keeps the answers. */
function introspectOf({ config, runtime }: Lent<MessagingConfig>): Introspect | undefined {
  const { introspection_url: url, ...settings } = config.messaging;
  if (url === undefined) return undefined;
  return createIntrospection({
    ...{ url, timers: runtime.timers },
    clientId: settings.introspection_client_id,
    clientSecret: settings.introspection_client_secret,
  });
}

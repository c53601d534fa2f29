/** From the configuration to what the events dialect is told: settings, keys, catalogue and apps, and its authority over sockets. */
import type { RegisteredAuthority } from "../../auth/authorities.ts";
import { createOriginCheck } from "../../auth/origins.ts";
import { DEVELOPMENT_ORGANISATION } from "../../config/development.ts";
import { eventsNamespaces } from "../../config/events.ts";
import { servesEvents, type Config } from "../../config/schema.ts";
import type { OwnedHub } from "../../core/create-hub.ts";
import type { Engine } from "../../core/engine.ts";
import type { Metrics } from "../../core/metrics.ts";
import type { Runtime } from "../../core/runtime.ts";
import type { Webhooks } from "../../webhooks/contract.ts";
import { createEventsAuthority } from "./authority.ts";
import type { Catalogue } from "./catalogue.ts";
import type { EventsContext, EventsSettings } from "./context.ts";
import { createOrganisationChannels } from "./organisation-channels.ts";
import { createOrganisations } from "./organisations.ts";
import { createRateLimits } from "./rate-limits.ts";
import { createRevocations } from "./revocations.ts";
import { createAppKeys, createAppSigner } from "../../auth/app-keys.ts";

/** §4.1: how far an issuer's clock may be off. Tokens issued here are judged by the clock that issued them. */
const ACCESS_TOKEN_LEEWAY_MS = 30_000;

export interface EventsAppsOptions {
  readonly config: Config;
  readonly hubs: ReadonlyMap<string, OwnedHub>;
  readonly engine: Engine;
  readonly runtime: Runtime;
  readonly metrics: Metrics;
  readonly webhooks: (app: string) => Webhooks;
  /** Of this app's clients. */
  readonly endpoint: (app: Config["apps"][number]) => string;
  readonly onError: EventsContext["onError"];
  readonly onEvent: EventsContext["onEvent"];
}

export interface EventsApps {
  /** By app id: those with a key that signs. Empty when the dialect is not enabled. */
  readonly contexts: ReadonlyMap<string, EventsContext>;
  readonly authorities: ReadonlyMap<string, readonly RegisteredAuthority[]>;
  /** Once the engine runs: in development mode the sample organisation is provisioned, unless it ever was. */
  start(): Promise<void>;
}

export function createEventsApps(options: EventsAppsOptions): EventsApps {
  const { config, hubs, engine, runtime, metrics, webhooks, endpoint, onError, onEvent } = options;
  const contexts = new Map<string, EventsContext>();
  const authorities = new Map<string, readonly RegisteredAuthority[]>();
  const settings = settingsOf(config);
  const catalogue = catalogueOf(config);
  for (const app of servesEvents(config) ? config.apps : []) {
    const hub = hubs.get(app.id);
    const keys = { config, app: app.id, runtime };
    const signer = createAppSigner(keys, "events-client");
    if (hub === undefined || signer === undefined) continue;
    const keySetFor = createAppKeys(keys);
    const accessKeys = keySetFor("events-access", {
      ...{ leewayMs: ACCESS_TOKEN_LEEWAY_MS, refuseFutureIat: true },
    });
    const issuedKeys = keySetFor("events-client");
    const { records, queue } = engine.app(app.id);
    const context: EventsContext = {
      ...{ hub, settings, catalogue, records, queue, runtime, metrics, onError, onEvent },
      organisations: createOrganisations(records, runtime),
      organisationChannels: createOrganisationChannels({ records, hub, clock: runtime.clock }),
      revocations: createRevocations(records),
      rateLimits: createRateLimits(runtime, metrics),
      webhooks: webhooks(app.id),
      verifyAccess: (token) => accessKeys.verify(token),
      signer,
      allowsOrigin: createOriginCheck(app.allowed_origins),
      endpoint: () => endpoint(app),
    };
    contexts.set(app.id, context);
    const verifyClient = (token: string) => issuedKeys.verify(token);
    const authority = createEventsAuthority({ ...context, verifyClient });
    authorities.set(app.id, [{ issuer: settings.issuer, audience: settings.audience, authority }]);
  }
  return {
    contexts,
    authorities,
    async start() {
      if (!config.development) return;
      for (const { organisations } of contexts.values()) {
        const known = await organisations.find(DEVELOPMENT_ORGANISATION);
        if (known === undefined) await organisations.provision(DEVELOPMENT_ORGANISATION);
      }
    },
  };
}

function catalogueOf({ events }: Config): Catalogue {
  return new Map(
    eventsNamespaces(events.namespaces).map((entry) => [
      entry.name,
      {
        name: entry.name,
        visibility: entry.visibility,
        scopes: entry.scopes,
        organisationChannel: entry.organisation_channel,
        userChannel: entry.user_channel,
        autoSubscribe: entry.auto_subscribe,
        multiUser: entry.multi_user,
        privatePrefix: entry.private_prefix,
        historyTtlMs: entry.history_ttl_s * 1000,
      },
    ]),
  );
}

function settingsOf({ events }: Config): EventsSettings {
  return {
    issuer: events.issuer ?? "",
    audience: events.audience,
    organisationClaim: events.organisation_claim,
    tokenTtlMs: events.token_ttl,
    connectionTokensPerMinute: events.connection_tokens_per_minute,
    subscriptionTokensPerMinute: events.subscription_tokens_per_minute,
    provisionsPerMinute: events.provisions_per_minute,
    publishesPerSecond: events.publishes_per_second,
    publishBodyBytesMax: events.body_size_limit,
    userConnectionLimit: events.user_connection_limit,
  };
}

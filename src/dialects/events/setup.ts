/** From the configuration to what the events dialect serves: its REST API, its authority over sockets, and the webhooks behind it. */
import { randomBytes } from "node:crypto";
import { createOriginCheck } from "../../auth/origins.ts";
import { createSealing, type Sealing } from "../../auth/sealing.ts";
import type { App } from "../../config/schema.ts";
import { compactJson } from "../../core/json-text.ts";
import { CHANNELS } from "../../core/types.ts";
import type { WebhookNotice } from "../../webhooks/contract.ts";
import { createWebhooksApps, type WebhooksApps } from "../../webhooks/setup.ts";
import type { Lent, Served } from "../dialect.ts";
import { eventsAdmin } from "./admin-operations.ts";
import { createEventsAuthority } from "./authority.ts";
import { NOTICES_NAMESPACE, type Catalogue } from "./catalogue.ts";
import { DEVELOPMENT_ORGANISATION, eventsNamespaces, type EventsConfig } from "./config.ts";
import type { EventsContext } from "./context.ts";
import { createOrganisationChannels } from "./organisation-channels.ts";
import { createOrganisations } from "./organisations.ts";
import { createRateLimits } from "./rate-limits.ts";
import { createRevocations } from "./revocations.ts";
import { createRoutes } from "./routes.ts";
import { createWebhookHandlers } from "./webhook-api/http.ts";
import type { Vault } from "./webhook-api/idempotency.ts";

/** §4.1: how far an issuer's clock may be off. Tokens issued here are judged by the clock that issued them. */
const ACCESS_TOKEN_LEEWAY_MS = 30_000;

/** Undefined: no app has a key that signs. */
export function setUp(lent: Lent<EventsConfig>): Served | undefined {
  const { config, runtime, metrics, findApiKey, onError, onEvent, explainsRefusals } = lent;
  const webhooks = createWebhooksApps({
    ...lent,
    async onNotice(app, notice) {
      const context = contexts.get(app);
      if (context !== undefined) await publishNotice(context, notice);
    },
  });
  const contexts = contextsOf(lent, webhooks);
  if (contexts.size === 0) return undefined;
  const answersKeys = lent.masterKeys().derive("events/answers");
  return {
    ...createRoutes({
      ...{ contexts, findApiKey, runtime, metrics, onError, onEvent, explainsRefusals },
      webhooks: createWebhookHandlers({
        vault: vaultOf(createSealing(answersKeys, randomBytes)),
        sourceAddresses: config.webhooks.source_addresses,
        eventTypes: config.events.event_types,
      }),
    }),
    admin: eventsAdmin(contexts),
    async start() {
      if (config.development) await provisionSample(contexts);
      await webhooks.start();
    },
    close: () => webhooks.close(),
  };
}

/** By app id: those with a key that signs. Each registers as the authority over the tokens that it issues. */
function contextsOf(
  lent: Lent<EventsConfig>,
  webhooks: WebhooksApps,
): ReadonlyMap<string, EventsContext> {
  const { config, runtime, metrics, onError } = lent;
  const { events: settings } = config;
  const { issuer = "", audience } = settings;
  const catalogue = catalogueOf(config);
  const contexts = new Map<string, EventsContext>();
  for (const { config: app, hub, engine, keys, authorities, publishLimit, onEvent } of lent.apps) {
    const signer = keys.signer("events-client", { issuer, audience });
    if (signer === undefined) continue;
    const accessKeys = keys.set("events-access", {
      ...{ leewayMs: ACCESS_TOKEN_LEEWAY_MS, refuseFutureIat: true },
    });
    const issuedKeys = keys.set("events-client", { issuer, audience });
    const { records, queue } = engine;
    const context: EventsContext = {
      ...{ hub, settings, catalogue, records, queue, runtime, metrics, onError, onEvent, signer },
      publishLimit,
      organisations: createOrganisations(records, runtime),
      organisationChannels: createOrganisationChannels({ records, hub, clock: runtime.clock }),
      revocations: createRevocations(records),
      rateLimits: createRateLimits(runtime, metrics),
      webhooks: webhooks.of(app.id),
      verifyAccess: (token) => accessKeys.verify(token),
      allowsOrigin: createOriginCheck(app.allowed_origins),
      endpoint: () => endpointOf(config, app, lent.clientsUrl()),
    };
    contexts.set(app.id, context);
    const verifyClient = (token: string) => issuedKeys.verify(token);
    const authority = createEventsAuthority({ ...context, verifyClient });
    authorities.push({ issuer, audience, authority });
  }
  return contexts;
}

/** Unless it ever was. */
async function provisionSample(contexts: ReadonlyMap<string, EventsContext>): Promise<void> {
  for (const { organisations } of contexts.values()) {
    const known = await organisations.find(DEVELOPMENT_ORGANISATION);
    if (known === undefined) await organisations.provision(DEVELOPMENT_ORGANISATION);
  }
}

function catalogueOf({ events }: EventsConfig): Catalogue {
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

/** What another key sealed is as good as gone. */
function vaultOf(sealing: Sealing): Vault {
  return {
    seal: (text) => sealing.seal(text),
    open(sealed) {
      try {
        return sealing.open(sealed);
      } catch {
        return undefined;
      }
    },
  };
}

/** As configured; else where this app's clients find the `clients` listener. */
function endpointOf(
  { events, streaming }: EventsConfig,
  { hosts: [host], path_prefix: prefix = "" }: App,
  clientsUrl: string,
): string {
  if (events.endpoint !== undefined) return events.endpoint;
  const url = new URL(clientsUrl.replace(/^http/, "ws"));
  url.hostname = host ?? url.hostname;
  return `${url.origin}${prefix}${streaming.websocket_path}`;
}

/** Nothing to an organisation that is no longer active. A repeated notice is published once. */
export async function publishNotice(
  { hub, organisations, organisationChannels, catalogue }: EventsContext,
  { id, organisationId, body }: WebhookNotice,
): Promise<void> {
  const organisation = await organisations.find(organisationId);
  if (organisation?.status !== "active") return;
  const name = `${NOTICES_NAMESPACE}:${organisationId}`;
  const historyTtlMs = catalogue.get(NOTICES_NAMESPACE)?.historyTtlMs ?? 0;
  if (historyTtlMs > 0) await organisationChannels.note(organisation, name, historyTtlMs);
  const options = { idempotencyKey: id };
  await hub.publish({ space: CHANNELS, name }, { data: { json: compactJson(body) } }, options);
}

/** The events dialect as the server runs it: its REST API, its authority over sockets, and the webhooks behind it. */
import { randomBytes } from "node:crypto";
import type { RegisteredAuthority } from "../../auth/authorities.ts";
import type { MasterKeys } from "../../auth/master-key.ts";
import { createSealing, type Sealing } from "../../auth/sealing.ts";
import type { Config } from "../../config/schema.ts";
import type { OwnedHub } from "../../core/create-hub.ts";
import type { Engine } from "../../core/engine.ts";
import type { Runtime } from "../../core/runtime.ts";
import type { Dialect } from "../dialect.ts";
import type { FindApiKey } from "./access-token.ts";
import type { EventsContext } from "./context.ts";
import { createEvents } from "./index.ts";
import { publishNotice } from "./notices.ts";
import { createWebhookHandlers } from "./webhook-api/http.ts";
import type { Vault } from "./webhook-api/idempotency.ts";
import { createEventsApps } from "./setup.ts";
import type { ServerMetrics } from "../../operations/metrics.ts";
import { createWebhooksApps } from "../../webhooks/setup.ts";

export interface EventsServingOptions {
  readonly config: Config;
  readonly hubs: ReadonlyMap<string, OwnedHub>;
  readonly engine: Engine;
  readonly runtime: Runtime;
  readonly metrics: ServerMetrics;
  readonly masterKeys: MasterKeys;
  readonly findApiKey: FindApiKey;
  /** Once it listens. */
  readonly clientsUrl: () => string;
  readonly onError: (error: unknown, about: Readonly<Record<string, string>>) => void;
  readonly onEvent: EventsContext["onEvent"];
}

export interface EventsServing {
  readonly dialect: Dialect;
  /** By app id. */
  readonly authorities: ReadonlyMap<string, readonly RegisteredAuthority[]>;
  /** Once the engine runs. */
  start(): Promise<void>;
  /** Ends deliveries; what waits stays in the queue. */
  close(): Promise<void>;
}

/** Undefined when no app has a key that signs. */
export function serveEvents(options: EventsServingOptions): EventsServing | undefined {
  const { config, runtime, metrics, masterKeys, findApiKey, clientsUrl } = options;
  const { onError, onEvent } = options;
  const webhooks = createWebhooksApps({
    ...options,
    async onNotice(app, notice) {
      const context = apps.contexts.get(app);
      if (context !== undefined) await publishNotice(context, notice);
    },
  });
  const apps = createEventsApps({
    ...options,
    webhooks: (app) => webhooks.of(app),
    endpoint: (app) => endpointOf(config, app, clientsUrl()),
  });
  const { contexts, authorities } = apps;
  if (contexts.size === 0) return undefined;
  const vault = vaultOf(createSealing(masterKeys.derive("events/answers"), randomBytes));
  return {
    authorities,
    dialect: createEvents({
      ...{ contexts, findApiKey, runtime, metrics, onError, onEvent },
      webhooks: createWebhookHandlers({
        vault,
        sourceAddresses: config.webhooks.source_addresses,
        eventTypes: config.events.event_types,
      }),
    }),
    async start() {
      await apps.start();
      await webhooks.start();
    },
    close: () => webhooks.close(),
  };
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
  { events, streaming }: Config,
  { hosts: [host], path_prefix: prefix = "" }: Config["apps"][number],
  clientsUrl: string,
): string {
  if (events.endpoint !== undefined) return events.endpoint;
  const url = new URL(clientsUrl.replace(/^http/, "ws"));
  url.hostname = host ?? url.hostname;
  return `${url.origin}${prefix}${streaming.websocket_path}`;
}

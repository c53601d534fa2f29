/** From the configuration to the apps' outgoing webhooks: settings, addresses, sealing and what is counted. */
import { randomBytes } from "node:crypto";
import type { MasterKeys } from "../auth/master-key.ts";
import { createSealing } from "../auth/sealing.ts";
import type { BaseConfig } from "../config/schema.ts";
import type { WebhooksConfig } from "./config.ts";
import type { OwnedHub } from "../core/create-hub.ts";
import type { AppEngine } from "../core/engine.ts";
import type { Runtime } from "../core/runtime.ts";
import type { WebhookNotice } from "./contract.ts";
import type { ServerMetrics } from "../operations/metrics.ts";
import { allowingNetworks } from "../outbound/addresses.ts";
import { createWebhooks, type DeliveringWebhooks, type WebhookSettings } from "./index.ts";

export interface WebhooksAppsOptions {
  readonly config: BaseConfig & WebhooksConfig;
  readonly apps: readonly {
    readonly config: { readonly id: string };
    readonly hub: OwnedHub;
    readonly engine: AppEngine;
  }[];
  readonly runtime: Runtime;
  readonly metrics: ServerMetrics;
  readonly masterKeys: () => MasterKeys;
  readonly onNotice: (app: string, notice: WebhookNotice) => Promise<void>;
  readonly onError: (error: unknown, about: { readonly doing: string }) => void;
}

export interface WebhooksApps {
  /** Made when first asked for. */
  of(app: string): DeliveringWebhooks;
  /** From here on those that were asked for deliver. */
  start(): Promise<void>;
  close(): Promise<void>;
}

export function createWebhooksApps(options: WebhooksAppsOptions): WebhooksApps {
  const { config, runtime, metrics, masterKeys, onNotice, onError } = options;
  const apps = new Map<string, DeliveringWebhooks>();
  const settings = settingsOf(config);
  const allowAddress = allowingNetworks(config.webhooks.allow_networks);

  function make(app: string): DeliveringWebhooks {
    const lent = options.apps.find(({ config: { id } }) => id === app);
    if (lent === undefined) throw new Error(`No app "${app}"`);
    const { hub, engine } = lent;
    const { records, queue, control } = engine;
    return createWebhooks({
      ...{ records, queue, runtime, settings },
      policy: { allowAddress },
      sealing: createSealing(masterKeys().derive(`webhooks/${app}`), randomBytes),
      cluster: {
        self: control.nodeId,
        nodes: async () => (await hub.nodes()).map(({ id }) => id),
      },
      onNotice: (notice) => onNotice(app, notice),
      observer: {
        attempted: ({ status }) => metrics.count("webhook_attempts", { status }),
        deadLetter: (reason) => metrics.count("webhook_dead_letters", { reason }),
        disabled: (_endpoint, reason) => metrics.count("webhook_disabled", { reason }),
      },
      onError: (error, doing) => onError(error, { doing }),
    });
  }

  const sum = (name: keyof ReturnType<DeliveringWebhooks["stats"]>) => () =>
    [...apps.values()].reduce((total, webhooks) => total + webhooks.stats()[name], 0);
  metrics.gauge("webhook_lanes", "Endpoints that this node delivers to", sum("lanes"));
  metrics.gauge("webhook_requests", "Requests to endpoints in flight", sum("inFlight"));
  metrics.gauge("webhook_open_breakers", "Endpoints that get no requests now", sum("openBreakers"));
  metrics.gauge(
    "webhook_behind_ms",
    "How long the oldest delivery has been due, without the endpoints of webhook_open_breakers",
    () => Math.max(0, ...[...apps.values()].map((webhooks) => webhooks.stats().behindMs)),
  );

  return {
    of(app) {
      let webhooks = apps.get(app);
      if (webhooks === undefined) apps.set(app, (webhooks = make(app)));
      return webhooks;
    },
    async start() {
      await Promise.all([...apps.values()].map((webhooks) => webhooks.start()));
    },
    async close() {
      await Promise.all([...apps.values()].map((webhooks) => webhooks.close()));
    },
  };
}

function settingsOf({ webhooks, apps }: BaseConfig & WebhooksConfig): WebhookSettings {
  const { operator_url: url, operator_secret: secret } = webhooks;
  return {
    allowHttp: webhooks.allow_http,
    allowHosts: webhooks.allow_hosts,
    denyPorts: webhooks.deny_ports,
    ownHosts: [...webhooks.own_hosts, ...apps.flatMap(({ hosts }) => hosts)],
    scheduleMs: webhooks.retry_schedule_s.map((seconds) => seconds * 1000),
    retentionMs: webhooks.retention,
    requestsMax: webhooks.requests_max,
    ...(url === undefined || secret === undefined ? {} : { operator: { url, secret } }),
  };
}

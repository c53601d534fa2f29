/** Makes the Sora dialect's routes and services from the configuration. */
import { ApiRefusal, reachOf } from "../../auth/api-callers.ts";
import { createOriginCheck } from "../../auth/origins.ts";
import { isLoopback } from "../../core/networks.ts";
import type { ApiCall, RequestHead } from "../../transports/api-call.ts";
import type { Lent, Served } from "../dialect.ts";
import { createAuthHook } from "./auth-hook.ts";
import type { SoraConfig } from "./config.ts";
import type { SoraContext } from "./context.ts";
import type { SoraCaller } from "./http.ts";
import { createRooms } from "./rooms.ts";
import { createRoutes } from "./routes.ts";
import { CARRIERS, type Carrier, Sessions } from "./sessions.ts";

export async function setUp(lent: Lent<SoraConfig>): Promise<Served> {
  const { config, onError, onEvent } = lent;
  const { sora: settings } = config;
  const { cors_origin: corsOrigin, body_size_limit: bodyBytesMax } = settings;
  const peers = lent.createPeers({
    settings: settings.webrtc,
    connectTimeoutMs: settings.webrtc_timeout,
  });
  const contexts = contextsOf(lent, peers);
  watch(lent, peers, [...contexts.values()]);
  const served = createRoutes({
    ...{ contexts, settings, bodyBytesMax, onError, onEvent },
    ...(corsOrigin === undefined ? {} : { corsOrigin }),
    authorizeOnApi: createAuthorize(lent, lent.onLoopback),
    authorizeOnOwn: createAuthorize(lent, isLoopback(settings.host)),
  });
  return {
    ...served,
    async close() {
      peers.shutdown();
      // Each says its last words by its DataChannels first.
      await Promise.all([...contexts.values()].map(({ sessions }) => sessions.emptied()));
      await peers.close();
    },
  };
}

/** Metrics, read at each scrape. */
function watch(
  { metrics }: Lent<SoraConfig>,
  peers: SoraContext["peers"],
  contexts: readonly SoraContext[],
): void {
  const counted = (carrier: Carrier) =>
    contexts.reduce((sum, { sessions }) => sum + sessions.count(carrier), 0);
  metrics.gaugeBy("carrier", {
    name: "sora_connections",
    help: "Sora's connections on this node, by what carries their pushes",
    read: () => Object.fromEntries(CARRIERS.map((carrier) => [carrier, counted(carrier)])),
  });
  metrics.gaugeBy("state", {
    name: "webrtc_peers",
    help: "WebRTC peers of this process",
    read() {
      const { peers: all, connected } = peers.stats;
      return { connecting: all - connected, connected };
    },
  });
  metrics.gauge("webrtc_channels", "Open DataChannels", () => peers.stats.channels);
  const failed = "Peers since the start that were lost, or not connected in time";
  metrics.gauge("webrtc_failed_peers", failed, () => peers.stats.failed);
  const refused = "Clients since the start for whom there was no peer or port";
  metrics.gauge("webrtc_refused_peers", refused, () => peers.stats.refused);
  const oversized = "Frames since the start that were larger than their peer takes";
  metrics.gauge("webrtc_oversized_frames", oversized, () => peers.stats.oversized);
}

/** By app id. */
function contextsOf(
  lent: Lent<SoraConfig>,
  peers: SoraContext["peers"],
): ReadonlyMap<string, SoraContext> {
  const { config, version, postJson, runtime, schedule, metrics, onError } = lent;
  const { explainsRefusals } = lent;
  const { sora: settings, development } = config;
  const { auth_url: url } = settings;
  const shared = { runtime, schedule, metrics, onError, explainsRefusals };
  return new Map(
    lent.apps.map(
      ({ config: { id, allowed_origins: origins }, hub, engine, publishLimit, onEvent }) => {
        const { presence, records } = engine;
        const services = { ...shared, onEvent };
        const context: SoraContext = {
          ...{ ...services, hub, settings, presence, records, peers, publishLimit },
          rooms: createRooms({ ...services, hub, presence, records }),
          sessions: new Sessions(),
          ...(url === undefined
            ? {}
            : { askHook: createAuthHook({ url, settings, version, postJson }) }),
          trustsClientIds: development && url === undefined,
          // §2.1: without a list any origin may.
          allowsOrigin: origins.length === 0 ? () => true : createOriginCheck(origins),
        };
        return [id, context];
      },
    ),
  );
}

/** DESIGN.md §5: open on loopback, save to pages of other sites. */
function createAuthorize({ config, callers }: Lent<SoraConfig>, onLoopback: boolean) {
  const { sora: settings } = config;
  const open = settings.http_auth === "none" || onLoopback;

  return (call: ApiCall): SoraCaller | ApiRefusal => {
    const { app, exclusive } = call.mount;
    const named = exclusive ? app : undefined;
    const asked = isConfiguredPage(call, settings.cors_origin) ? withoutPage(call) : call;
    const key = open
      ? callers.admitOpen(asked, named)
      : callers.admit(asked, { scope: "sora", app: named });
    if (key instanceof ApiRefusal) return key;
    return { app: named ?? key?.app ?? app ?? "", reach: reachOf("sora", key) };
  };
}

/** §1.2: its operator lets the pages of one origin call. */
function isConfiguredPage({ headers }: ApiCall, corsOrigin: string | undefined): boolean {
  return corsOrigin !== undefined && headers.get("origin") === corsOrigin;
}

const PAGE_HEADERS = new Set(["origin", "sec-fetch-site"]);

function withoutPage({ method, url, headers }: ApiCall): RequestHead {
  const isKept = (name: string) => !PAGE_HEADERS.has(name.toLowerCase());
  return {
    ...{ method, url },
    headers: {
      get: (name) => (isKept(name) ? headers.get(name) : null),
      has: (name) => isKept(name) && headers.has(name),
    },
  };
}

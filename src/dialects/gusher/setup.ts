/** From the configuration to what the gusher dialect serves. */
import { ApiRefusal, reachOf } from "../../auth/api-callers.ts";
import type { GusherConfig } from "./config.ts";
import type { Lent, Served } from "../dialect.ts";
import type { GusherContext } from "./context.ts";
import { createRoutes } from "./routes.ts";
import { checkRegisteredClaims } from "./tokens.ts";

export function setUp(lent: Lent<GusherConfig>): Served {
  const { config, callers, onLoopback, runtime, onEvent, explainsRefusals } = lent;
  const { gusher, streaming } = config;
  const open = onLoopback || gusher.http_auth === "none";
  return createRoutes({
    contexts: contextsOf(lent),
    prefix: gusher.prefix,
    bodyBytesMax: gusher.body_size_limit,
    batchBytesMax: gusher.batch_size_limit,
    sharedPrefix: streaming.api_path,
    reserved: lent.reservedSegments,
    ...{ runtime, onEvent, explains: { explainsRefusals } },
    authorize(request, app) {
      const key = open
        ? callers.admitOpen(request, app)
        : callers.admit(request, { scope: "gusher", app });
      return key instanceof ApiRefusal ? key : reachOf("gusher", key);
    },
  });
}

/** By app id, which is the app's `app_key`. */
function contextsOf(lent: Lent<GusherConfig>): ReadonlyMap<string, GusherContext> {
  const { config, runtime, schedule, metrics, onError, explainsRefusals } = lent;
  const { gusher: settings, channel } = config;
  const onLists = settings.remote_jobs === "redis_list";
  return new Map(
    lent.apps.map(({ config: { id }, hub, engine, keys, publishLimit, onEvent }) => {
      const { records, queue, lists } = engine;
      if (onLists && lists === undefined) {
        throw new Error(`The engine "${lent.engineName}" has no lists for \`gusher.remote_jobs\``);
      }
      // Times are the dialect's own to judge: its `exp` is the last second inside (§4).
      const set = keys.set("gusher", { checkTimes: false });
      const context: GusherContext = {
        ...{ hub, settings, records, queue, runtime, schedule, metrics, onError, onEvent },
        channelBytesMax: channel.max_length,
        ...{ publishLimit, explainsRefusals },
        ...(onLists && lists !== undefined ? { jobLists: lists } : {}),
        verify: async (jwt) => checkRegisteredClaims(await set.verify(jwt), runtime.clock),
      };
      return [id, context];
    }),
  );
}

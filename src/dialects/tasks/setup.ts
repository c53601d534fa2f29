/** From the configuration to what the task-token dialect is told: settings, keys, secrets and apps. */
import { randomBytes } from "node:crypto";
import type { ApiCallers } from "../../auth/api-callers.ts";
import type { MasterKeys } from "../../auth/master-key.ts";
import { createOriginCheck } from "../../auth/origins.ts";
import type { Config } from "../../config/schema.ts";
import type { OwnedHub } from "../../core/create-hub.ts";
import type { Engine } from "../../core/engine.ts";
import type { SessionServices } from "../dialect.ts";
import { createAuthentication } from "./authentication.ts";
import { createClientTokens, TOKEN_PURPOSE } from "./client-token.ts";
import type { TasksContext } from "./context.ts";
import type { TasksSettings } from "./settings.ts";
import type { TasksOptions } from "./index.ts";
import { createTaskSockets } from "./sockets.ts";
import type { SigningSecrets } from "./sign.ts";
import { createTaskIds, idPurpose } from "./task-id.ts";
import { createTaskStore } from "./task-store.ts";

/** Development mode's app, which takes calls without a credential (DESIGN.md §5). */
const DEVELOPMENT_APP = "dev";

export interface TasksAppsOptions extends SessionServices {
  readonly config: Config;
  readonly masterKeys: MasterKeys;
  readonly hubs: ReadonlyMap<string, OwnedHub>;
  readonly engine: Engine;
  readonly callers: ApiCallers;
}

export function createTasksApps(options: TasksAppsOptions): TasksOptions {
  const { config, masterKeys, hubs, engine } = options;
  const { runtime, schedule, metrics, callers, onError, onEvent } = options;
  const tokens = createClientTokens({ keys: masterKeys.derive(TOKEN_PURPOSE), randomBytes });
  const contexts = new Map<string, TasksContext>();
  for (const app of config.apps) {
    const hub = hubs.get(app.id);
    if (hub === undefined) continue;
    const settings = settingsOf(config, app.id);
    const { records } = engine.app(app.id);
    // Ids are for ever (§3.1), so they are made with the oldest key there is.
    const [newest, ...older] = masterKeys.derive(idPurpose(app.id));
    const { allowed_origins: origins } = app;
    contexts.set(app.id, {
      ...{ publicId: app.id, hub, settings, records, tokens, runtime, schedule, metrics },
      ...{ onError, onEvent },
      ids: createTaskIds(older.at(-1) ?? newest),
      tasks: createTaskStore({ hub, records, settings, runtime, onError }),
      sockets: createTaskSockets(settings),
      // §5.1: no list means any origin.
      allowsOrigin: origins.length === 0 ? () => true : createOriginCheck(origins),
    });
  }
  const openTo = config.development ? DEVELOPMENT_APP : undefined;
  const { clock } = runtime;
  return {
    contexts,
    authenticate: createAuthentication({
      ...{ contexts, callers, openTo, clock },
      secrets: secretsOf(config),
    }),
    path: config.tasks.rpc_path,
    randomBytes,
    random: runtime.random,
    onError,
    onEvent,
    websocketPaths: config.tasks.websocket_paths,
  };
}

function secretsOf({ apps, signing_keys: keys }: Config): SigningSecrets {
  return new Map(
    apps.map(({ id }) => [
      id,
      keys
        .filter(({ app, use }) => app === id && use === "tasks")
        .map(({ hmac_secret: secret = "", until }) => {
          return { secret, ...(until === undefined ? {} : { untilMs: until }) };
        }),
    ]),
  );
}

function settingsOf({ tasks }: Config, app: string): TasksSettings {
  const own = tasks.apps.find(({ id }) => id === app);
  return {
    strict: own?.strict ?? tasks.strict,
    messageFormat: own?.message_format ?? tasks.message_format,
    requireTimestamp: own?.require_timestamp ?? tasks.require_timestamp,
    suspended: own?.suspended ?? false,
    persistTimeoutDisplaces: own?.persist_timeout_displaces ?? tasks.persist_timeout_displaces,
    tickIntervalMs: tasks.tick_interval,
    retentionMs: tasks.retention,
    authenticationTimeoutMs: tasks.authentication_timeout,
    pingIntervalMs: tasks.ping_interval,
    pongTimeoutMs: tasks.pong_timeout,
    bufferedBytesMax: tasks.queue_max_size,
    tokenCalls: { perSecond: tasks.token_calls_per_second, burst: tasks.token_calls_burst },
    invokeCalls: { perSecond: tasks.invoke_calls_per_second, burst: tasks.invoke_calls_burst },
    taskInvokesPerSecond: tasks.task_invokes_per_second,
    taskConnectionsMax: tasks.task_connection_limit,
    connectionsMax: tasks.connection_limit,
    taskAcceptancesPerMinute: tasks.task_acceptances_per_minute,
    failedAuthenticationsPerMinute: tasks.failed_authentications_per_minute,
  };
}

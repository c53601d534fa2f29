/** The task-token dialect's settings: the defaults of task-tokens.md, and a switch for each choice that it leaves to an app. */
import { z } from "zod";
import type { ParsedSigningKey } from "../../config/apps.ts";
import { duration } from "../../config/durations.ts";
import { flag, path, positive } from "../../config/kinds.ts";
import type { Parsed } from "../../config/part.ts";
import type { Path, Problem } from "../../config/problem.ts";
import { duplicates } from "../../config/rules.ts";
import type { BaseConfig } from "../../config/schema.ts";

const HOUR_MS = 3_600_000;
/** Clients that know nothing else close a link which is silent for 5 seconds (§5.5). */
const TICK_MS_MAX = 4000;
const MINUTE_MS = 60_000;

const timer = (fallback: string, maxMs: number, description: string) =>
  duration({ minMs: 1000, maxMs }).prefault(fallback).describe(description);
const formats = z.enum(["base64", "any"]);

/** Of keys that belong together, which the reference page tells of once. */
const INVOKE_CALLS = "Calls of `invoke_envoy`, `close_envoy` and `get_envoy_status` likewise.";
const TOKEN_CALLS = "Calls of `get_envoy_token` per app and node: per second, and at once.";
const CONNECTIONS = "Connections per app and node, and per task and node.";
const IN_PLACE = "In place of the same key of `tasks`.";

const tasksApp = z.strictObject({
  id: z.string().min(1).describe("The app, its `public-id`."),
  suspended: flag(false, "Refuse every call of its backends."),
  strict: z.boolean().exactOptional().describe(IN_PLACE),
  message_format: formats.exactOptional().describe(IN_PLACE),
  require_timestamp: z.boolean().exactOptional().describe(IN_PLACE),
  persist_timeout_displaces: z.boolean().exactOptional().describe(IN_PLACE),
});

export const tasksSection = z.strictObject({
  enabled: flag(false, "Serve it."),
  rpc_path: path
    .default("/rpc")
    .describe("Where backends post calls, on `api`; `/` and `/api` take them as well."),
  websocket_paths: z
    .array(
      z
        .string()
        .refine(
          (given) => given === "/" || path.safeParse(given).success,
          'must begin with "/" and not end with it',
        ),
    )
    .min(1)
    .default(["/", "/envoy", "/tasks"])
    .describe("Where clients connect, on `clients`."),
  strict: flag(false, "No trailing commas in JSON; calls without an `id` are not answered."),
  message_format: formats.default("base64").describe("Whether messages must be base64."),
  require_timestamp: flag(
    false,
    "Signed calls need a `sign-timestamp`, so that none can be repeated.",
  ),
  persist_timeout_displaces: flag(
    true,
    "`persist_timeout` also ends the task's earlier connection.",
  ),
  tick_interval: timer(
    "2s",
    TICK_MS_MAX,
    "Time between frames with the remaining time. Known clients close a link that is silent for 5 seconds.",
  ),
  retention: timer(
    "24h",
    168 * HOUR_MS,
    "How long, at least, later connections get the last message.",
  ),
  authentication_timeout: timer(
    "10s",
    10 * MINUTE_MS,
    "Time for a client's first frame, with its token.",
  ),
  ping_interval: timer("25s", HOUR_MS, "Time between pings."),
  pong_timeout: timer("10s", HOUR_MS, "Time to answer one."),
  queue_max_size: positive(1_048_576, "Bytes that may wait for a slow client."),
  token_calls_per_second: positive(50, TOKEN_CALLS),
  token_calls_burst: positive(200, TOKEN_CALLS),
  invoke_calls_per_second: positive(200, INVOKE_CALLS),
  invoke_calls_burst: positive(1000, INVOKE_CALLS),
  task_invokes_per_second: positive(20, "Calls of `invoke_envoy` per second, task and node."),
  connection_limit: positive(10_000, CONNECTIONS),
  task_connection_limit: positive(100, CONNECTIONS),
  task_acceptances_per_minute: positive(
    30,
    "New connections per task and minute, on all nodes: stops pages that evict each other.",
  ),
  failed_authentications_per_minute: positive(
    10,
    "Wrong tokens per address, minute and node before it has to wait.",
  ),
  apps: z.array(tasksApp).default([]).describe("What differs for single apps."),
});

/** The configuration as far as this dialect looks at it. */
export type TasksConfig = BaseConfig & {
  readonly tasks: z.output<typeof tasksSection>;
  /** It takes calls and connects at places where streaming could be. */
  readonly streaming: { readonly api_path: string; readonly websocket_path: string };
};

/** Of one app. Times are milliseconds. */
export type TasksSettings = Omit<z.output<typeof tasksSection>, "apps"> & {
  readonly suspended: boolean;
};

export function tasksSettings({ tasks }: TasksConfig, app: string): TasksSettings {
  const { apps, ...shared } = tasks;
  return { suspended: false, ...shared, ...apps.find(({ id }) => id === app) };
}

export function* tasksProblems({ tasks, streaming, apps }: Parsed<TasksConfig>): Iterable<Problem> {
  const path: Path = ["tasks", "apps"];
  if (tasks.rpc_path === streaming.api_path) {
    yield { path: ["tasks", "rpc_path"], message: 'must differ from "streaming.api_path"' };
  }
  const socket = tasks.websocket_paths.indexOf(streaming.websocket_path);
  if (socket >= 0) {
    const message = 'must differ from "streaming.websocket_path"';
    yield { path: ["tasks", "websocket_paths", socket], message };
  }
  yield* duplicates(tasks.apps, "id", path);
  for (const [index, { id }] of tasks.apps.entries()) {
    if (apps.some((app) => app.id === id)) continue;
    yield {
      path: [...path, index, "id"],
      message: `app "${id}" is not configured: add it to [[apps]]`,
    };
  }
}

/** task-tokens.md §4.2: a secret and one algorithm, and nothing that tells one key from another. */
export function* tasksKeyProblems(key: ParsedSigningKey, path: Path): Iterable<Problem> {
  if (key.hmac_secret === undefined) {
    yield {
      path,
      message: 'needs an "hmac_secret": tasks\' calls are signed with a shared secret',
    };
  }
  for (const name of ["algorithms", "kid", "issuer", "audience"] as const) {
    if (key[name] === undefined) continue;
    yield {
      path: [...path, name],
      message: "has no effect on the signatures of tasks' calls: remove it",
    };
  }
}

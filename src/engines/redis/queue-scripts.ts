/** The queue's scripts as the servers get them, and how a queue's keys are named. */
import { home } from "./keys.ts";
import { readScript, type ScriptName } from "./script-file.ts";
import type { RedisScript } from "./client/contract.ts";

const shared = readScript("time") + readScript("queue-shared");

export const QUEUE_ADD = withShared("queue-add");
export const QUEUE_TAKE = withShared("queue-take");
export const QUEUE_DONE = withShared("queue-done");
export const QUEUE_REMOVE = withShared("queue-remove");
export const QUEUE_RETRY = withShared("queue-retry");
export const QUEUE_CHECK = withShared("queue-check");
export const QUEUE_COUNTS = withShared("queue-counts");
export const LIST_PUSH = plain("queue-list-push");

/** In the order of `queue-shared.lua`. */
const KEY_NAMES = ["jobs", "payloads", "ready", "leased", "order", "state"];

export interface QueueKeys {
  /** What to ask `RedisServers.shardOf` for. */
  readonly tag: string;
  readonly keys: readonly string[];
  /** Where its wake-ups are published: the last key's name, so that scripts know it. */
  readonly topic: string;
}

export function queueKeys(prefix: string, app: string, queue: string): QueueKeys {
  const { tag, base } = home(prefix, [app, "queue"], queue);
  const keys = KEY_NAMES.map((name) => `${base}:${name}`);
  return { tag, keys, topic: `${base}:state` };
}

/** The first line of a script says what it may do, and must stay the first. */
function withShared(name: ScriptName): RedisScript {
  const own = readScript(name);
  const end = own.indexOf("\n");
  return { name, source: `${own.slice(0, end)}\n${shared}${own.slice(end)}` };
}

function plain(name: ScriptName): RedisScript {
  return { name, source: readScript(name) };
}

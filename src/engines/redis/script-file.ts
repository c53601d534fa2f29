/**
 * Scripts are files of their own, so that editors and readers see Lua. They are named here one by one, since what is imported is also in
 * the server as a single file (`npm run build`).
 */
import announce from "./scripts/announce.lua" with { type: "text" };
import append from "./scripts/append.lua" with { type: "text" };
import generation from "./scripts/generation.lua" with { type: "text" };
import history from "./scripts/history.lua" with { type: "text" };
import leaseList from "./scripts/lease-list.lua" with { type: "text" };
import leaseRenew from "./scripts/lease-renew.lua" with { type: "text" };
import presencePurge from "./scripts/presence-purge.lua" with { type: "text" };
import presencePut from "./scripts/presence-put.lua" with { type: "text" };
import presenceRemove from "./scripts/presence-remove.lua" with { type: "text" };
import publish from "./scripts/publish.lua" with { type: "text" };
import queueAdd from "./scripts/queue-add.lua" with { type: "text" };
import queueCheck from "./scripts/queue-check.lua" with { type: "text" };
import queueCounts from "./scripts/queue-counts.lua" with { type: "text" };
import queueDone from "./scripts/queue-done.lua" with { type: "text" };
import queueListPush from "./scripts/queue-list-push.lua" with { type: "text" };
import queueRemove from "./scripts/queue-remove.lua" with { type: "text" };
import queueRetry from "./scripts/queue-retry.lua" with { type: "text" };
import queueShared from "./scripts/queue-shared.lua" with { type: "text" };
import queueTake from "./scripts/queue-take.lua" with { type: "text" };
import recordsChange from "./scripts/records-change.lua" with { type: "text" };
import stream from "./scripts/stream.lua" with { type: "text" };
import time from "./scripts/time.lua" with { type: "text" };
import users from "./scripts/users.lua" with { type: "text" };

const SCRIPTS = {
  announce,
  append,
  generation,
  history,
  "lease-list": leaseList,
  "lease-renew": leaseRenew,
  "presence-purge": presencePurge,
  "presence-put": presencePut,
  "presence-remove": presenceRemove,
  publish,
  "queue-add": queueAdd,
  "queue-check": queueCheck,
  "queue-counts": queueCounts,
  "queue-done": queueDone,
  "queue-list-push": queueListPush,
  "queue-remove": queueRemove,
  "queue-retry": queueRetry,
  "queue-shared": queueShared,
  "queue-take": queueTake,
  "records-change": recordsChange,
  stream,
  time,
  users,
} as const;

export type ScriptName = keyof typeof SCRIPTS;

/** The text of `scripts/<name>.lua`. */
export function readScript(name: ScriptName): string {
  return SCRIPTS[name];
}

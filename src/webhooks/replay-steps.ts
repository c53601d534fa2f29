/**
 * The steps of a replay (webhooks.md §5.3): the search, newest first, a chunk at a time, and then the messages, oldest first.
 * Each may be taken again after a kill.
 */
import type { StoredRecord } from "../core/engine.ts";
import { WEBHOOK_LIMITS } from "./contract.ts";
import type { WebhooksContext } from "./context.ts";
import { parseDeadLetter, type DeadLetterStore } from "./dead-letter-store.ts";
import { newDelivery, statusOf, type DeliveryStore } from "./delivery-store.ts";
import { listsType, matches, type EndpointStore, type StoredEndpoint } from "./endpoint-store.ts";
import { deadKey, logKey } from "./keys.ts";
import { logged, type MessageStore, type StoredMessage } from "./message-store.ts";
import type { Outbox } from "./outbox.ts";
import { listPage } from "./paging.ts";
import type { Item, StoredTask, ReplayStore } from "./replay-store.ts";

export interface ReplayParts {
  readonly endpoints: EndpointStore;
  readonly messages: MessageStore;
  readonly deliveries: DeliveryStore;
  readonly deadLetters: DeadLetterStore;
  readonly outbox: Outbox;
  readonly tasks: ReplayStore;
}

/** Messages of one step: what a kill may repeat, and for how long other work waits. */
const CHUNK_ITEMS = 100;

export function createReplaySteps(context: WebhooksContext, parts: ReplayParts) {
  const { records, moment } = context;
  const { endpoints, messages, deliveries, deadLetters, outbox, tasks } = parts;

  /** The task as it is behind one step, not yet saved. */
  async function step(task: StoredTask): Promise<StoredTask> {
    let endpoint: StoredEndpoint | undefined;
    if (task.endpointId !== null) {
      endpoint = await endpoints.find(task.applicationId, task.endpointId);
      const works = endpoint !== undefined && endpoint.disabledReason === null;
      if (!works) return { ...task, status: "cancelled" };
    }
    if (task.iterator !== null && endpoint !== undefined) return search(task, endpoint);
    const chunk = await tasks.oldestChunk(task);
    if (chunk === undefined) return { ...task, status: "finished" };
    for (const item of chunk.items) await replay(task, item);
    await tasks.removeChunk(chunk);
    return { ...task, done: task.done + chunk.items.length };
  }

  async function search(task: StoredTask, endpoint: StoredEndpoint): Promise<StoredTask> {
    const missing = task.type === "replay_missing";
    const prefix = (missing ? logKey : deadKey)(task.applicationId);
    const pick = missing ? wantedOf(task, endpoint) : failedOf(endpoint);
    const page = await listPage(
      records,
      {
        ...{ prefix, limit: CHUNK_ITEMS },
        ...(task.iterator === null || task.iterator === "" ? {} : { iterator: task.iterator }),
        window: {
          ...(task.sinceMs === null ? {} : { sinceMs: task.sinceMs }),
          ...(task.untilMs === null ? {} : { untilMs: task.untilMs }),
        },
      },
      pick,
    );
    const found: Item[] = [];
    for (const { messageId, message } of page.data) {
      if (message !== undefined && !(await isMissing(endpoint, message))) continue;
      found.unshift({ messageId, endpointId: endpoint.id });
    }
    if (found.length === 0) return { ...task, iterator: page.iterator };
    await tasks.addChunk(task, task.chunks, found);
    const grown = {
      ...{ ...task, iterator: page.iterator },
      ...{ chunks: task.chunks + 1, total: task.total + found.length },
    };
    return trim(grown);
  }

  /** The oldest count: those that were found first are let go. */
  async function trim(task: StoredTask): Promise<StoredTask> {
    let { total, newestChunk } = task;
    while (total > WEBHOOK_LIMITS.taskMessages && newestChunk < task.chunks) {
      const excess = total - WEBHOOK_LIMITS.taskMessages;
      const { dropped, left } = await tasks.trimChunk(task, newestChunk, excess);
      total -= dropped;
      if (left === 0) newestChunk += 1;
    }
    return { ...task, total, newestChunk };
  }

  async function isMissing(endpoint: StoredEndpoint, message: StoredMessage): Promise<boolean> {
    const known = await deliveries.find(endpoint.applicationId, message.id, endpoint.id);
    if (known === undefined && !message.endpoints.includes(endpoint.id)) return true;
    return statusOf(known ?? newDelivery(message), { endpoint, erased: false }) === "cancelled";
  }

  /** Looks again whether it is still wanted, since much may have happened between. */
  async function replay(task: StoredTask, { messageId, endpointId }: Item): Promise<void> {
    const { applicationId } = task;
    const endpoint = await endpoints.find(applicationId, endpointId);
    const found = await messages.find(applicationId, messageId);
    if (endpoint === undefined || endpoint.disabledReason !== null) return;
    if (found === undefined || found.body === undefined) return;
    const { message } = found;
    const missing = task.type === "replay_missing";
    if (missing && !(await isMissing(endpoint, message))) return;
    const known = await deliveries.find(applicationId, messageId, endpointId);
    if (!missing && (await deadLetters.find(applicationId, message, endpointId)) === undefined)
      return;
    const { order, atMs } = moment();
    const put = await deliveries.put(
      applicationId,
      found,
      endpointId,
      {
        ...(known ?? newDelivery(message)),
        ...{ state: "pending", run: 0, blocked: 0, queuedOrder: order, nextAttemptAtMs: atMs },
      },
      known?.version ?? 0,
    );
    if (!put) return;
    const added = await outbox.add(endpoint, message);
    // Last: until it is gone, a step that is taken again finds the message once more.
    if (added && !missing) await deadLetters.remove(applicationId, message, endpointId);
  }

  return step;
}

interface Found {
  readonly messageId: string;
  /** Of a message that may be missing. */
  readonly message?: StoredMessage;
}

function wantedOf({ eventTypes }: StoredTask, endpoint: StoredEndpoint) {
  return (record: StoredRecord): Found | undefined => {
    const message = logged(record);
    if (message.internal === true || !matches(endpoint, message)) return undefined;
    if (eventTypes !== null && !listsType(eventTypes, message.eventType)) return undefined;
    return { messageId: message.id, message };
  };
}

function failedOf({ id }: StoredEndpoint) {
  return (record: StoredRecord): Found | undefined => {
    const { endpointId, messageId } = parseDeadLetter(record);
    return endpointId === id ? { messageId } : undefined;
  };
}

/** Sending again, as it is asked for (webhooks.md §5.3, §5.4): one message at once, many by a task; and the dead letters. */
import {
  WEBHOOK_LIMITS,
  WebhookError,
  type WebhookDeadLetterChoice,
  type WebhookDeadLetters,
  type WebhookOwner,
  type WebhookReplays,
  type WebhookTask,
} from "./contract.ts";
import type { Chores } from "./chores.ts";
import type { WebhooksContext } from "./context.ts";
import { deadLetterParts, parseDeadLetter, type StoredDeadLetter } from "./dead-letter-store.ts";
import type { StoredEndpoint } from "./endpoint-store.ts";
import { deadKey } from "./keys.ts";
import { requireBody } from "./messages.ts";
import { listPage } from "./paging.ts";
import type { ReplayParts } from "./replay-steps.ts";
import { requireTask, shownTask, type Item, type StoredTask } from "./replay-store.ts";

export interface ReplaysParts extends ReplayParts {
  readonly chores: Chores;
}

const DISCARDED_AT_ONCE = 250;

export function createReplays(context: WebhooksContext, parts: ReplaysParts): WebhookReplays {
  const { endpoints, messages, outbox, tasks } = parts;

  async function requireEnabled(owner: WebhookOwner, id: string): Promise<StoredEndpoint> {
    const endpoint = await endpoints.require(owner, id);
    if (endpoint.disabledReason === null) return endpoint;
    throw new WebhookError("endpoint_disabled", "The endpoint is disabled.");
  }

  function requireRecent(sinceMs: number): void {
    const { replayWindowMs, replayToleranceMs } = WEBHOOK_LIMITS;
    const oldestMs = context.runtime.clock.epochMs() - replayWindowMs - replayToleranceMs;
    if (sinceMs >= oldestMs) return;
    const message = "since is more than 14 days ago.";
    throw new WebhookError("invalid_request", message, { details: { member: "since" } });
  }

  return {
    async one(owner, messageId, endpointId) {
      const { message } = requireBody(await messages.require(owner, messageId));
      await outbox.addManual(await requireEnabled(owner, endpointId), message);
    },

    async recover(owner, endpointId, window) {
      requireRecent(window.sinceMs);
      await requireEnabled(owner, endpointId);
      return startTask(context, parts, owner, { type: "recover", endpointId, ...window });
    },

    async missing(owner, endpointId, window) {
      requireRecent(window.sinceMs);
      await requireEnabled(owner, endpointId);
      return startTask(context, parts, owner, { type: "replay_missing", endpointId, ...window });
    },

    async task(owner, taskId) {
      return shownTask(requireTask(await tasks.find(owner.applicationId, taskId)));
    },

    async cancelTask(owner, taskId) {
      const task = requireTask(await tasks.find(owner.applicationId, taskId));
      if (task.status === "running") await tasks.save({ ...task, status: "cancelled" });
    },
  };
}

export function createDeadLetters(
  context: WebhooksContext,
  parts: ReplaysParts,
): WebhookDeadLetters {
  const { records } = context;
  const { endpoints, deadLetters, messages } = parts;

  /** Those that are there. */
  async function chosen(owner: WebhookOwner, ids: readonly string[]): Promise<StoredDeadLetter[]> {
    const { applicationId } = owner;
    if (ids.length > WEBHOOK_LIMITS.deadLetterIds) {
      const message = `A call may name ${WEBHOOK_LIMITS.deadLetterIds} ids at most.`;
      throw new WebhookError("invalid_request", message, { details: { member: "ids" } });
    }
    const found = await Promise.all(
      [...new Set(ids)].map(async (id) => {
        const about = deadLetterParts(id);
        if (about === undefined) return undefined;
        const known = await messages.find(applicationId, about.messageId);
        if (known === undefined) return undefined;
        return deadLetters.find(applicationId, known.message, about.endpointId);
      }),
    );
    return found.filter((letter) => letter !== undefined);
  }

  async function discardOf({ applicationId, id }: StoredEndpoint): Promise<number> {
    let discarded = 0;
    for (let iterator: string | null | undefined; iterator !== null;) {
      const page = await listPage(
        records,
        {
          ...{ prefix: deadKey(applicationId), limit: DISCARDED_AT_ONCE },
          ...(iterator === undefined ? {} : { iterator }),
        },
        (record) => {
          const letter = parseDeadLetter(record);
          return letter.endpointId === id ? letter : undefined;
        },
      );
      discarded += await discardAll(applicationId, page.data);
      ({ iterator } = page);
    }
    return discarded;
  }

  async function discardAll(application: string, letters: readonly StoredDeadLetter[]) {
    const removed = await Promise.all(
      letters.map((letter) => deadLetters.remove(application, letter, letter.endpointId)),
    );
    return removed.filter(Boolean).length;
  }

  return {
    list({ applicationId }, { endpointId, eventType, ...window }, page) {
      const list = { prefix: deadKey(applicationId), window, ...page };
      return listPage(records, list, (record) => {
        const { order: _, ...letter } = parseDeadLetter(record);
        const wanted =
          (endpointId === undefined || letter.endpointId === endpointId) &&
          (eventType === undefined || letter.eventType === eventType);
        return wanted ? letter : undefined;
      });
    },

    async replay(owner, choice: WebhookDeadLetterChoice) {
      const type = "replay_dead_letters";
      if ("ids" in choice) {
        const letters = await chosen(owner, choice.ids);
        const items = letters.toSorted((a, b) => (a.order < b.order ? 1 : -1));
        return startTask(context, parts, owner, { type, items });
      }
      const { disabledReason } = await endpoints.require(owner, choice.endpointId);
      if (disabledReason !== null) {
        throw new WebhookError("endpoint_disabled", "The endpoint is disabled.");
      }
      return startTask(context, parts, owner, { type, endpointId: choice.endpointId });
    },

    async discard(owner, choice) {
      if ("ids" in choice) {
        return discardAll(owner.applicationId, await chosen(owner, choice.ids));
      }
      return discardOf(await endpoints.require(owner, choice.endpointId));
    },
  };
}

interface NewTask {
  readonly type: WebhookTask["type"];
  /** Absent: for these items. */
  readonly endpointId?: string;
  readonly items?: readonly Item[];
  readonly sinceMs?: number;
  readonly untilMs?: number;
  readonly eventTypes?: readonly string[] | null;
}

async function startTask(
  { newId, runtime }: WebhooksContext,
  { tasks, chores }: ReplaysParts,
  owner: WebhookOwner,
  { type, endpointId, items = [], sinceMs, untilMs, eventTypes }: NewTask,
): Promise<WebhookTask> {
  const task: StoredTask = {
    ...{ organisationId: owner.organisationId, applicationId: owner.applicationId },
    ...{ id: newId("task"), type, status: "running", done: 0, total: items.length },
    ...{ endpointId: endpointId ?? null, eventTypes: eventTypes ?? null },
    sinceMs: sinceMs ?? null,
    // What fails from now on is not the past's: a task would never come to its end.
    untilMs: untilMs ?? runtime.clock.epochMs(),
    ...{ iterator: endpointId === undefined ? null : "", newestChunk: 0 },
    chunks: items.length > 0 ? 1 : 0,
  };
  await tasks.add(task);
  if (items.length > 0) {
    const plain = items.map((item) => ({
      ...{ messageId: item.messageId, endpointId: item.endpointId },
    }));
    await tasks.addChunk(task, 0, plain);
  }
  await chores.add(task);
  return shownTask(task);
}

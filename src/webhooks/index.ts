/** One app's outgoing webhooks (webhooks.md): the parts put together. */
import type { OwnedWebhooks, WebhookOwner } from "./contract.ts";
import { createAttemptLog } from "./attempt-log.ts";
import { createChores } from "./chores.ts";
import { createContext, type WebhooksOptions } from "./context.ts";
import { createDeadLetterStore } from "./dead-letter-store.ts";
import { createDeliver } from "./deliver.ts";
import { createDeliveryStore } from "./delivery-store.ts";
import { createDisabling, createRemoving } from "./endpoint-ends.ts";
import { createEndpointStore, matches, type StoredEndpoint } from "./endpoint-store.ts";
import { createEndpoints } from "./endpoints.ts";
import { createHealthStore } from "./health.ts";
import { createIntake } from "./intake.ts";
import { createLanes, type Lanes } from "./lanes.ts";
import { createMessageStore } from "./message-store.ts";
import { createMessages } from "./messages.ts";
import { createNotices } from "./notices.ts";
import { setOperatorHook } from "./operator.ts";
import { createOutbox } from "./outbox.ts";
import { createDeadLetters, createReplays } from "./replays.ts";
import { createReplaySteps } from "./replay-steps.ts";
import { createSender } from "./sender.ts";
import { createReplayStore } from "./replay-store.ts";

export type { Sealing, WebhookSettings, WebhooksOptions } from "./context.ts";

export interface DeliveringWebhooks extends OwnedWebhooks {
  /** For metrics: of this node, now. */
  stats(): {
    readonly lanes: number;
    readonly inFlight: number;
    readonly openBreakers: number;
    /** How long the endpoint that is behind most has had something due, milliseconds; those with an open breaker wait on purpose. */
    readonly behindMs: number;
  };
}

/** Calls work from the beginning; what they queue is sent once it is started. */
export function createWebhooks(options: WebhooksOptions): DeliveringWebhooks {
  const context = createContext(options);
  const endpoints = createEndpointStore(context);
  const messages = createMessageStore(context);
  const deliveries = createDeliveryStore(context);
  const attempts = createAttemptLog(context);
  const deadLetters = createDeadLetterStore(context);
  const health = createHealthStore(context);
  const tasks = createReplayStore(context);
  const stores = { endpoints, messages, deliveries, attempts, deadLetters, health, tasks };

  const added = (endpoint: StoredEndpoint) => lanes.ensure(endpoint);
  const outbox = createOutbox(context, { ...stores, added });
  const intake = createIntake(context, { ...stores, outbox });
  const notices = createNotices(context, intake);
  const disable = createDisabling(context, { endpoints, outbox, notices });
  const sender = createSender(context);
  const deliverer = createDeliver(context, { ...stores, outbox, notices, disable, sender });
  const lanes: Lanes = createLanes(context, { endpoints, outbox, deliverer });
  const remove = createRemoving({ endpoints, health, outbox, lanes });
  const step = createReplaySteps(context, { ...stores, outbox });
  const chores = createChores(context, { tasks, step });
  const replayParts = { ...stores, outbox, chores };

  async function deprovisioned({ applicationId }: WebhookOwner) {
    const found = await endpoints.of(applicationId);
    const gone = await Promise.all(found.map(remove));
    const running = (await tasks.of(applicationId)).filter(({ status }) => status === "running");
    await Promise.all(running.map((task) => tasks.save({ ...task, status: "cancelled" })));
    await chores.eraseLater(applicationId);
    return {
      endpointsDeleted: gone.filter(({ removed }) => removed).length,
      deliveriesCancelled: gone.reduce((sum, { cancelled }) => sum + cancelled, 0),
    };
  }

  return {
    async accept(message) {
      const wants = (endpoint: Parameters<typeof matches>[0]) => matches(endpoint, message);
      return { endpoints: await intake.accept(message, { wants }) };
    },
    deprovisioned,
    endpoints: createEndpoints(context, {
      ...{ endpoints, health, outbox, intake, notices, lanes, deliverer, remove },
    }),
    messages: createMessages(context, { ...stores, outbox, lanes }),
    replays: createReplays(context, replayParts),
    deadLetters: createDeadLetters(context, replayParts),

    async start() {
      // On a full disk it stays as it was, and what can be read is served.
      await setOperatorHook(context, { endpoints, health, remove }).catch((error: unknown) =>
        context.onError(error, "setting the operator's hook"),
      );
      await lanes.start();
      await chores.start();
    },

    async close() {
      await chores.close();
      await lanes.close();
      sender.close();
    },

    stats: () => lanes.stats(),
  };
}

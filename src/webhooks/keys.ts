/** The names of everything that is kept: records below `webhooks/`, and one queue per endpoint. */
import type { Clock, Random } from "../core/runtime.ts";

export const ENDPOINTS = "webhooks/endpoint/";
/** Replays, and what is to be erased later. */
export const TASK_QUEUE = "webhooks/tasks";

export const endpointsKey = (application: string) => `${ENDPOINTS}${application}/`;
export const endpointKey = (application: string, id: string) => endpointsKey(application) + id;
/** Put anew with every change of the application's endpoints. */
export const changedKey = (application: string) => `webhooks/changed/${application}/`;
export const healthKey = (application: string, endpoint: string) =>
  `webhooks/health/${application}/${endpoint}`;
export const messageKey = (application: string, id: string) =>
  `webhooks/message/${application}/${id}`;
/** Newest first. */
export const logKey = (application: string) => `webhooks/log/${application}/`;
export const deliveriesKey = (application: string, message: string) =>
  `webhooks/delivery/${application}/${message}/`;
/** Newest first. */
export const attemptsKey = (application: string, endpoint: string) =>
  `webhooks/attempt/${application}/${endpoint}/`;
export const responseKey = (application: string, attempt: string) =>
  `webhooks/response/${application}/${attempt}`;
/** Newest messages first; then `<order of the message>/<endpoint>`. */
export const deadKey = (application: string) => `webhooks/dead/${application}/`;
/** What waits for an ordered endpoint, oldest first. */
export const waitingKey = (application: string, endpoint: string) =>
  `webhooks/waiting/${application}/${endpoint}/`;
/** Numbers of cancelled deliveries, newest first. */
export const cancelledKey = (application: string, endpoint: string) =>
  `webhooks/cancelled/${application}/${endpoint}/`;
export const tasksKey = (application: string) => `webhooks/task/${application}/`;
export const chunksKey = (application: string, task: string) =>
  `webhooks/chunk/${application}/${task}/`;
/** Which task an endpoint is busy with. */
export const runningKey = (application: string, endpoint: string) =>
  `webhooks/running/${application}/${endpoint}`;
/** Every prefix that holds an application's records. */
export const prefixesOf = (application: string) =>
  [
    ...[
      "endpoint",
      "changed",
      "health",
      "message",
      "log",
      "delivery",
      "attempt",
      "response",
      "dead",
    ],
    ...["waiting", "cancelled", "task", "chunk", "running"],
  ].map((kind) => `webhooks/${kind}/${application}/`);

export const queueName = (application: string, endpoint: string) =>
  `webhooks/${application}/${endpoint}`;

const MS_DIGITS = 9;
const MS_MAX = 36 ** MS_DIGITS - 1;
const COUNT_DIGITS = 3;
const COUNT_MAX = 36 ** COUNT_DIGITS - 1;
const NODE_DIGITS = 2;

/** A moment's place in a list, unique, also among the nodes. `order` sorts the newest first, `ascending` the oldest. */
export interface Moment {
  readonly atMs: number;
  readonly order: string;
  readonly ascending: string;
}

/** Moments of one node, each behind the one before, whatever the clock does within its millisecond. */
export function createMoments(clock: Clock, random: Random): () => Moment {
  const node = digits(Math.floor(random.fraction() * 36 ** NODE_DIGITS), NODE_DIGITS);
  let lastMs = 0;
  let count = 0;
  return () => {
    const atMs = clock.epochMs();
    count = atMs === lastMs ? Math.min(count + 1, COUNT_MAX) : 0;
    lastMs = atMs;
    return {
      atMs,
      order: `${orderFrom(atMs)}${digits(COUNT_MAX - count, COUNT_DIGITS)}${node}`,
      ascending: `${digits(atMs, MS_DIGITS)}${digits(count, COUNT_DIGITS)}${node}`,
    };
  };
}

/** Before every order of that millisecond and of older ones, behind all newer ones. */
export function orderFrom(epochMs: number): string {
  const ms = Math.min(Math.max(0, Math.ceil(epochMs)), MS_MAX);
  return digits(MS_MAX - ms, MS_DIGITS);
}

/** The millisecond of an order, or of what begins with one. */
export function orderMs(order: string): number {
  return MS_MAX - Number.parseInt(order.slice(0, MS_DIGITS), 36);
}

function digits(value: number, length: number): string {
  return value.toString(36).padStart(length, "0");
}

/**
 * What the core needs of storage and of the network between nodes: five small contracts per app.
 * An engine keeps them apart by app, so that nothing an app can name reaches another's.
 */
import { HubError } from "./errors.ts";
import type {
  Channel,
  ClientInfo,
  NewPublication,
  Note,
  Publication,
  StreamPosition,
} from "./types.ts";

export interface Engine extends AsyncDisposable {
  /** As in the configuration: `embedded`, `redis`. */
  readonly name: string;
  /** Opens files or connections; waits for as long as its servers are away. Nothing but `health` may be called before it resolves. */
  start(): Promise<void>;
  /** The app's own view. The same id gives the same view. */
  app(id: string): AppEngine;
  /** Whether it can serve now; the reason when not. May be asked at any time. */
  health(): Promise<{ readonly ready: boolean; readonly reason?: string }>;
}

export interface AppEngine {
  readonly broker: Broker;
  readonly presence: PresenceStore;
  readonly control: ControlBus;
  readonly records: Records;
  readonly queue: JobQueue;
  /** Only where programs of other make can read the engine's store. */
  readonly lists?: WorkerLists;
}

/** How much of a channel's stream is kept. */
export interface HistoryLimits {
  /** Publications; the oldest beyond it is dropped. > 0. */
  readonly size: number;
  /** Age at which a publication is dropped, milliseconds. > 0. */
  readonly ttlMs: number;
  /** How long epoch and top offset outlive the last publication, milliseconds. >= ttlMs. */
  readonly metaTtlMs: number;
}

export interface PublishOptions {
  /** Absent: the publication takes no offset and is not kept. */
  readonly history?: HistoryLimits;
  /** The same key on the same channel within `IDEMPOTENCY_TTL_MS` answers the first result and publishes nothing, also when calls race. */
  readonly idempotencyKey?: string;
  /** A publication whose `version` is not above the last one stored under the same epoch of versions is dropped: the answer is the current position. Default `""`. */
  readonly versionEpoch?: string;
}

export interface HistoryQuery {
  /** Publications at the most; 0 asks for the position only. */
  readonly limit: number;
  /**
   * Exclusive. Only publications beyond it (before it, with `reverse`) are returned. The epoch is not compared here:
   * the caller does, against the page's position.
   */
  readonly sinceOffset?: number;
  /** Descending offsets, from the newest. */
  readonly reverse?: boolean;
}

export interface HistoryPage {
  /** Offsets may be missing in the middle: publications of one channel can expire in another order than they were made. */
  readonly publications: readonly Publication[];
  /** The stream's top: equal to or above every publication of the page, read in the same atomic step. */
  readonly position: StreamPosition;
}

/** What is told to a channel's listeners and not kept. */
export type Announcement =
  | { readonly type: "join" | "leave"; readonly client: ClientInfo }
  | { readonly type: "note"; readonly note: Note };

export type ChannelEvent =
  | { readonly type: "publication"; readonly publication: Publication }
  /** `after`: where the stream stood, if it was asked for: what has a position up to it came before, all else behind. */
  | (Announcement & { readonly after?: StreamPosition })
  /** The engine lost sight of the channel for a while: anything may have been missed before what follows. */
  | { readonly type: "gap" };

/** Held by reference: `unlisten` takes the same object. */
export interface ChannelListener {
  onEvent(event: ChannelEvent): void;
}

export interface Broker {
  /** Never loses an event on the way to this node's listeners; without it the core checks positions now and then. */
  readonly lossless: boolean;
  /**
   * Appends and fans out as one atomic step per channel: offset order is delivery order, on every node.
   * Resolves with the position, or undefined when no offset was taken, once the publication is as durable as the engine
   * makes it and was handed to this node's listeners. Throws HubError `unavailable` when it was not published.
   */
  publish(
    channel: Channel,
    publication: NewPublication,
    options?: PublishOptions,
  ): Promise<StreamPosition | undefined>;
  /**
   * Tells every node's listeners, in one order with the channel's publications. Not stored. `positioned`: the channel keeps
   * history, and an engine that may lose events says with this one where it stands.
   */
  announce(
    channel: Channel,
    announcement: Announcement,
    options?: { readonly positioned?: boolean },
  ): Promise<void>;
  /** One listener per channel and node: a second one replaces the first. Once resolved, no event is missed without a `gap`. Events come synchronously, one by one. */
  listen(channel: Channel, listener: ChannelListener): Promise<void>;
  /** No event comes after the call. A listener that is not listening is not an error. */
  unlisten(channel: Channel, listener: ChannelListener): Promise<void>;
  /** Creates the stream's epoch if there is none yet, which then lives `metaTtlMs`. */
  history(channel: Channel, query: HistoryQuery, metaTtlMs: number): Promise<HistoryPage>;
  /** Drops the publications; epoch and top offset stay. */
  removeHistory(channel: Channel): Promise<void>;
}

/** How long an idempotency key is remembered. */
export const IDEMPOTENCY_TTL_MS = 300_000;

/** Who is in a channel now. An entry lives until removed, or until its node has been silent for the engine's lease. */
export interface PresenceStore {
  /** Adds, renews or replaces the entry of this connection. */
  put(channel: Channel, client: ClientInfo): Promise<void>;
  remove(channel: Channel, connectionId: string): Promise<void>;
  list(channel: Channel): Promise<readonly ClientInfo[]>;
  /** `users` counts distinct user ids; all anonymous clients are one user. */
  stats(channel: Channel): Promise<{ readonly clients: number; readonly users: number }>;
}

export interface ControlAnswers {
  readonly answers: readonly unknown[];
  readonly nodesAsked: number;
}

/** Node to node, this node included. Requests and answers are plain JSON data. */
export interface ControlBus {
  readonly nodeId: string;
  /** Sets this node's one handler; set before the first `ask`. */
  serve(handler: (request: unknown) => unknown): void;
  /** Asks every node, or the one that is named, and gathers what arrives within `deadlineMs`. */
  ask(request: unknown, deadlineMs: number, node?: string): Promise<ControlAnswers>;
}

export interface StoredRecord {
  readonly key: string;
  readonly value: string;
  /** Changes with every put, never repeats for a key. */
  readonly version: number;
}

export interface PutOptions {
  /** Milliseconds from now; absent: for ever. */
  readonly ttlMs?: number;
  /** Put only if the record's version is this; 0: only if there is none. */
  readonly ifVersion?: number;
  /** Stands for a process that is at work: an engine of one process forgets it at its start. */
  readonly claim?: boolean;
}

/** One record of a change of several. Without `put` and `delete` its version is compared, and nothing else. */
export type RecordChange = { readonly key: string } & (
  | ({ readonly put: string } & PutOptions)
  | { readonly delete: true; readonly ifVersion?: number }
  | { readonly ifVersion: number }
);

/** Records that change in one step: bounds how long one call holds a server. */
export const RECORD_CHANGES_MAX = 1_000;

/** Throws HubError `limit_exceeded`. */
export function requireFewChanges({ length }: readonly RecordChange[]): void {
  if (length <= RECORD_CHANGES_MAX) return;
  throw new HubError("limit_exceeded", `One change may have ${RECORD_CHANGES_MAX} records at most`);
}

/** Small durable records. A put, delete or change that resolved survives a kill of the process. */
export interface Records {
  get(key: string): Promise<StoredRecord | undefined>;
  /** The new version, or undefined when `ifVersion` did not hold. */
  put(key: string, value: string, options?: PutOptions): Promise<number | undefined>;
  /** Whether a record was deleted: false when there was none or `ifVersion` did not hold. */
  delete(key: string, options?: { readonly ifVersion?: number }): Promise<boolean>;
  /**
   * Makes all changes in one step, or none: undefined when an `ifVersion` did not hold. Answers in the order of the changes: the new
   * version of a record that was put, 1 for one that was deleted, 0 for one that was compared or was not there to delete. Keys
   * are different. Throws HubError `limit_exceeded` beyond `RECORD_CHANGES_MAX`.
   */
  change(changes: readonly RecordChange[]): Promise<readonly number[] | undefined>;
  /** Keys in byte order, those after `after` when given. `limit` > 0. */
  list(
    prefix: string,
    options: { readonly after?: string; readonly limit: number },
  ): Promise<readonly StoredRecord[]>;
}

export interface NewJob {
  readonly payload: string;
  /** Unique among the jobs that are in the queue. Absent: made up. */
  readonly id?: string;
  /** Epoch milliseconds before which it is not given out: as far off as it is by the clock of now, even if that is set. Absent: now. */
  readonly notBeforeMs?: number;
  /** Jobs of one key are given out one at a time, in the order they were added: one that waits or is leased holds back those behind it until it is done. */
  readonly orderKey?: string;
}

/** What proves to the queue that a job is still its worker's. Plain data: it may travel to the worker and back. */
export interface JobLease {
  readonly id: string;
  /** Opaque; another one each time the job is given out. */
  readonly lease: string;
}

export interface TakenJob extends JobLease {
  readonly payload: string;
  readonly orderKey?: string;
  /** How often it was given out, this time included. */
  readonly attempt: number;
  readonly addedMs: number;
  /** The moment it was due, by the engine's own time: another one once it is put back, the same when its lease merely ended. */
  readonly dueMs: number;
}

/**
 * Durable delayed jobs in named queues, each given out at least once. A queue exists by having jobs. Jobs survive a kill of the
 * process: what resolved is kept, and a job whose worker is gone comes again when its lease ends, or with the start of an
 * engine of one process, which is the end of all leases. A clock that is set back delays no job and no lease's end.
 */
export interface JobQueue {
  /**
   * Resolves with the job's id once it is durable. Where the queue has a job of that id, waiting or leased, nothing is added.
   * Throws HubError `limit_exceeded` beyond `JOB_PAYLOAD_BYTES_MAX` and `QUEUE_JOBS_MAX`.
   */
  add(queue: string, job: NewJob): Promise<string>;
  /**
   * Leases jobs that are due, at the most `limit` (> 0): those to be given out earliest first, and of one moment in the order
   * they were added. A job under a lease is given to nobody else; its lease's end gives it its old place back.
   */
  take(
    queue: string,
    options: { readonly limit: number; readonly leaseMs: number },
  ): Promise<readonly TakenJob[]>;
  /** Removes the job. False: the lease is lost, since the job was done, put back or given out again; a lease that merely ended still counts. */
  done(queue: string, job: JobLease): Promise<boolean>;
  /** Ends the lease and gives the job out again, not before `atMs` (epoch; in the past: at once). False: the lease is lost. */
  retry(queue: string, job: JobLease, atMs: number): Promise<boolean>;
  /**
   * Removes the job of this id, or without one all jobs of the queue, and answers how many. Leased ones too: their leases are lost.
   * What an order key held back behind a removed job comes next.
   */
  remove(queue: string, id?: string): Promise<number>;
  /**
   * Calls `onDue` whenever a job may have become due, on whichever node and for whatever reason: it was added or put back, its time
   * has come, its lease has ended, the one before it is done or removed. Once resolved, no job becomes due without a call; those
   * due already are for a `take` to find. One call may stand for many jobs, or for none, and may come before this
   * resolves. The answer ends the watch.
   */
  watch(queue: string, onDue: () => void): Promise<() => void>;
  /** `leased`: under a lease that has not ended. `waiting`: all others. */
  counts(queue: string): Promise<{ readonly waiting: number; readonly leased: number }>;
}

/** Lists that programs of other make pop from, without leases: what they popped is theirs. */
export interface WorkerLists {
  /**
   * Appends to the list `<app>@<name>`, under exactly that key. Resolves once it is as durable as the engine makes it. Throws
   * HubError `limit_exceeded` beyond `JOB_PAYLOAD_BYTES_MAX` and `QUEUE_JOBS_MAX`.
   */
  push(name: string, text: string): Promise<void>;
}

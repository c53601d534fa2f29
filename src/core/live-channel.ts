/**
 * One channel while this node has subscriptions to it: what the broker says goes to the groups, in offset order,
 * none twice. Gaps are found and filled here, once per channel and node, never per subscriber.
 */
import type { Announcement, Broker, ChannelEvent, ChannelListener } from "./engine.ts";
import type { Disconnect } from "./errors.ts";
import { eachOf, withOne, withoutOne, type Few } from "./few.ts";
import type { Encoder } from "./hub.ts";
import { Group, type ActiveSubscription } from "./group.ts";
import {
  BUS_LAG_MS,
  JOIN_BUFFER_PUBLICATIONS_MAX,
  REFILL_WAITING_EVENTS_MAX,
  REFILL_PAGE_PUBLICATIONS_MAX,
} from "./limits.ts";
import { sumOf, type Occupancy } from "./pages.ts";
import type { Timers } from "./runtime.ts";
import type { Channel, Publication, Push, StreamPosition } from "./types.ts";

/** Positioned publications that arrived while a subscribe was in progress. */
export interface JoinBuffer {
  publications: Publication[];
}

/** The subscription of this connection to this channel, if it is on this node. */
export type FindSubscription = (
  connectionId: string,
  channel: Channel,
) => ActiveSubscription | undefined;

const LISTENING = Promise.resolve();

/** What all live channels of an app share. */
export interface LiveChannelHost {
  /** Names the app and with it the native groups. */
  readonly app: string;
  readonly broker: Broker;
  readonly timers: Timers;
  readonly findSubscription: FindSubscription;
  /** An exception that nothing awaits. */
  readonly onBug: (error: unknown) => void;
}

export class LiveChannel implements ChannelListener {
  readonly channel: Channel;
  /** Settles when the broker delivers; a failure fails the subscribes that wait for it. */
  listening: Promise<void>;
  /** Subscriptions, active or in progress, that keep the channel alive. */
  uses = 0;
  readonly #host: LiveChannelHost;
  readonly #metaTtlMs: number;
  #groups: Few<Group>;
  /** In progress, which is seldom. */
  #joins: Few<JoinBuffer>;
  /** Of the last publication handed to the groups; undefined until something told. */
  #top: StreamPosition | undefined;
  /** Events that wait while a gap is being filled. */
  #waiting: ChannelEvent[] | undefined;
  #refilled: Promise<void> | undefined;
  /** Those that wait for the groups to stand further on. */
  #advance: { readonly promise: Promise<void>; readonly settle: () => void } | undefined;

  /** `metaTtlMs` undefined: the channel keeps no history. */
  constructor(host: LiveChannelHost, channel: Channel, metaTtlMs: number | undefined) {
    this.#host = host;
    this.channel = channel;
    this.#metaTtlMs = metaTtlMs ?? 0;
    this.listening = this.#listen(metaTtlMs !== undefined);
    // A promise for each of many channels that has settled long ago is memory for nothing.
    this.listening.then(
      () => (this.listening = LISTENING),
      () => {},
    );
  }

  async #listen(keepsHistory: boolean): Promise<void> {
    const { broker } = this.#host;
    await broker.listen(this.channel, this);
    if (broker.lossless || !keepsHistory) return;
    // Events may be under way that were published before a later joiner reads the history: the top must be known
    // before the first of them, or those could not be told from repetitions.
    const page = await broker.history(this.channel, { limit: 0 }, this.#metaTtlMs);
    this.#top ??= page.position;
  }

  get top(): StreamPosition | undefined {
    return this.#top;
  }

  /** The number of active subscriptions. */
  get size(): number {
    let size = 0;
    for (const group of eachOf(this.#groups)) size += group.size;
    return size;
  }

  /** Active subscriptions by dialect. */
  get occupancy(): Occupancy {
    const groups = [...eachOf(this.#groups)];
    return sumOf(groups.map((group) => ({ [group.dialect ?? ""]: group.size })));
  }

  /** A copy. */
  subscriptions(): ActiveSubscription[] {
    return [...eachOf(this.#groups)].flatMap((group) => [...group.subscriptions]);
  }

  /** Not a copy: for walks in slices. */
  *active(): Iterable<ActiveSubscription> {
    for (const group of [...eachOf(this.#groups)]) yield* group.subscriptions;
  }

  add(subscription: ActiveSubscription): void {
    const { encoder } = subscription.options;
    let group = this.#groupOf(encoder);
    if (group === undefined) {
      // The app comes first and has no NUL, so no channel name can reach another app's group.
      const { space, name } = this.channel;
      const groupName = `${this.#host.app}\0${encoder.name}\0${space}\0${name}`;
      group = new Group(groupName, this.channel, encoder);
      this.#groups = withOne(this.#groups, group);
    }
    group.add(subscription);
  }

  /** `keepsHeld`: what its socket holds back of the channel still goes out. */
  delete(subscription: ActiveSubscription, options = { keepsHeld: false }): void {
    const group = this.#groupOf(subscription.options.encoder);
    if (group === undefined) return;
    group.delete(subscription, options);
    if (group.size === 0) this.#groups = withoutOne(this.#groups, group);
  }

  #groupOf(encoder: Encoder): Group | undefined {
    for (const group of eachOf(this.#groups)) if (group.encoder === encoder) return group;
    return undefined;
  }

  openJoin(): JoinBuffer {
    const join = { publications: [] };
    this.#joins = withOne<JoinBuffer>(this.#joins, join);
    return join;
  }

  closeJoin(join: JoinBuffer): void {
    this.#joins = withoutOne(this.#joins, join);
  }

  /**
   * Whether a joiner whose merged stream ends at `end` may join the groups now: nothing up to `end` is still to come
   * through them, and nothing beyond it has gone by. With nobody listening yet the joiner's position becomes the channel's.
   */
  reached(end: StreamPosition): "yes" | "ahead" | "behind" {
    if (this.#waiting !== undefined) return "ahead";
    const top = this.#top;
    if (top === undefined || (this.#groups === undefined && this.#isBeyond(end, top))) {
      this.#top = end;
      return "yes";
    }
    if (top.epoch === end.epoch) {
      if (top.offset === end.offset) return "yes";
      return end.offset > top.offset ? "ahead" : "behind";
    }
    return "ahead";
  }

  #isBeyond(end: StreamPosition, top: StreamPosition): boolean {
    return end.epoch !== top.epoch || end.offset > top.offset;
  }

  /** Settles when the groups stand further on: by what the bus brings, or, when that is late, by the history. */
  advance(): Promise<void> {
    this.#advance ??= this.#waitForBus();
    return this.#advance.promise;
  }

  #waitForBus() {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const timer = this.#host.timers.after(BUS_LAG_MS, () => {
      this.#advance = undefined;
      this.catchUp().then(resolve, reject);
    });
    const settle = (): void => {
      this.#advance = undefined;
      timer.cancel();
      resolve();
    };
    return { promise, settle };
  }

  /** Brings the groups up to the engine's position, or tells the subscriptions that it cannot be done. */
  catchUp(): Promise<void> {
    this.#refilled ??= this.#refill();
    return this.#refilled;
  }

  /** Compares positions with the engine, for engines that may lose an event with none behind it. What was missed is caught up with aside. */
  async checkPosition(): Promise<void> {
    if (this.#top === undefined || this.#waiting !== undefined || this.size === 0) return;
    const { position } = await this.#host.broker.history(
      this.channel,
      { limit: 0 },
      this.#metaTtlMs,
    );
    if (this.#top === undefined || !this.#isBeyond(position, this.#top)) return;
    this.advance().catch(this.#host.onBug);
  }

  onEvent(event: ChannelEvent): void {
    if (this.#waiting === undefined) return this.#dispatch(event);
    if (this.#waiting.length < REFILL_WAITING_EVENTS_MAX) this.#waiting.push(event);
    else {
      this.#waiting.length = 0;
      this.#lose(true);
    }
  }

  #dispatch(event: ChannelEvent): void {
    if (event.type === "gap") return this.#onGap();
    if (event.type !== "publication") {
      // What has an offset up to `after` came before it, so that on every node they have one order.
      if (this.#isDue(event)) this.#announce(event);
      else this.#catchUpAside(event);
      return;
    }
    const { publication } = event;
    const { position } = publication;
    if (position !== undefined) {
      const top = this.#top;
      if (top !== undefined && top.epoch === position.epoch) {
        if (position.offset <= top.offset) return;
        if (position.offset > top.offset + 1) {
          this.#catchUpAside(event);
          return;
        }
      } else if (top !== undefined) {
        // The stream began anew: what positions stood for is gone, what was published is not.
        this.#lose(false);
      }
      this.#top = position;
      this.#advance?.settle();
      for (const join of eachOf(this.#joins)) {
        if (join.publications.length >= JOIN_BUFFER_PUBLICATIONS_MAX) join.publications = [];
        join.publications.push(publication);
      }
    }
    this.#send({ type: "publication", channel: this.channel, publication });
  }

  #onGap(): void {
    for (const subscription of this.subscriptions()) {
      if (subscription.options.unbroken === true) subscription.drop();
    }
    if (this.#top === undefined) this.#lose(true);
    else this.#catchUpAside();
  }

  /** Of another epoch than the groups' nothing can be said. */
  #isDue({ after }: { readonly after?: StreamPosition }): boolean {
    const top = this.#top;
    if (top === undefined || after === undefined) return true;
    return after.epoch !== top.epoch || after.offset <= top.offset;
  }

  #announce(event: Announcement): void {
    const { channel } = this;
    if (event.type === "note") this.#send({ type: "note", channel, note: event.note });
    else this.#send({ type: event.type, channel, client: event.client });
  }

  #send(push: Push): void {
    const exceptId = push.type === "publication" ? push.publication.exceptConnectionId : undefined;
    const except =
      exceptId === undefined ? undefined : this.#host.findSubscription(exceptId, this.channel);
    for (const group of eachOf(this.#groups)) group.goNative();
    let failed: { group: Group; reason: Disconnect }[] | undefined;
    for (const group of eachOf(this.#groups)) {
      const reason = group.send(push, except);
      if (reason !== undefined) (failed ??= []).push({ group, reason });
    }
    for (const { group, reason } of failed ?? []) {
      for (const subscription of [...group.subscriptions]) {
        if (subscription !== except) subscription.subscriber.disconnect(reason);
      }
    }
  }

  #catchUpAside(event?: ChannelEvent): void {
    const done = this.catchUp();
    if (event !== undefined) this.#waiting?.push(event);
    done.catch(this.#host.onBug);
  }

  async #refill(): Promise<void> {
    const waiting: ChannelEvent[] = [];
    this.#waiting = waiting;
    let lost = false;
    try {
      while (!lost && (await this.#refillPage()) === "more");
    } catch {
      // The engine is away: what was missed cannot be had, and is not waited for.
      lost = true;
    }
    this.#waiting = undefined;
    this.#refilled = undefined;
    this.#advance?.settle();
    if (lost) this.#lose(true);
    for (const [index, event] of waiting.entries()) {
      this.onEvent(event);
      // A further gap among the waiting events: the rest waits for that one's refill.
      if (this.#waiting !== undefined) {
        for (const later of waiting.slice(index + 1)) this.onEvent(later);
        return;
      }
    }
  }

  async #refillPage(): Promise<"more" | "done"> {
    const top = this.#top;
    if (top === undefined) return "done";
    const query = { limit: REFILL_PAGE_PUBLICATIONS_MAX, sinceOffset: top.offset };
    const page = await this.#host.broker.history(this.channel, query, this.#metaTtlMs);
    if (this.#top !== top) return "more";
    if (page.position.epoch !== top.epoch || page.position.offset < top.offset) {
      this.#lose(true);
      this.#top = page.position;
      return "done";
    }
    let next = top.offset + 1;
    for (const publication of page.publications) {
      if (publication.position?.offset !== next) break;
      // What the bus brought itself comes as it did, with the announcements between.
      if (this.#isHeldNext(next)) return "done";
      this.#dispatch({ type: "publication", publication });
      next++;
    }
    if (next > page.position.offset) return "done";
    if (next > top.offset + 1) return "more";
    // Trimmed or expired before it was seen here.
    this.#lose(true);
    this.#top = page.position;
    return "done";
  }

  /** Whether the first event that waits is the publication of this offset. Announcements that are due ahead of it are made. */
  #isHeldNext(offset: number): boolean {
    const waiting = this.#waiting ?? [];
    for (let event = waiting[0]; event !== undefined && event.type !== "gap"; event = waiting[0]) {
      if (event.type === "publication") {
        const { position } = event.publication;
        if (position === undefined || position.epoch !== this.#top?.epoch) return false;
        if (position.offset >= offset) return position.offset === offset;
      } else if (this.#isDue(event)) this.#announce(event);
      else return false;
      waiting.shift();
    }
    return false;
  }

  /** Ends the subscriptions that rely on positions, or, when publications themselves were missed, every one. */
  #lose(missed: boolean): void {
    this.#top = undefined;
    for (const subscription of this.subscriptions()) {
      if (missed || subscription.positioned) subscription.drop();
    }
  }
}

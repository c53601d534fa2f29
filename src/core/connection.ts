/** A connection's subscriptions: entering and leaving channels in the order that clients are promised. */
import type { ChannelTable } from "./channel-table.ts";
import type { ConnectionIndex } from "./connection-index.ts";
import type { AppEngine, Announcement } from "./engine.ts";
import { HubError } from "./errors.ts";
import type { ActiveSubscription } from "./group.ts";
import type { Connection, Route, SubscribeOptions, Subscribed, Subscriber } from "./hub.ts";
import { joinAtPosition } from "./join.ts";
import type { LiveChannel } from "./live-channel.ts";
import type { Clock } from "./runtime.ts";
import type { Channel, ClientInfo, StreamPosition } from "./types.ts";

/** What all connections of a hub share. */
export interface ConnectionHost {
  readonly engine: Pick<AppEngine, "broker" | "presence">;
  readonly channels: ChannelTable;
  readonly connections: ConnectionIndex<HubConnection>;
  readonly clock: Pick<Clock, "epochMs">;
  readonly onBug: (error: unknown) => void;
  /** Of connections that have closed: what they still tell the engine. */
  readonly leaving: Set<Promise<unknown>>;
}

export class HubSubscription implements ActiveSubscription {
  readonly live: LiveChannel;
  options: SubscribeOptions;
  detail: unknown;
  active = false;
  /** Set when it ended before it became active. */
  cancelled = false;
  /** Its join was announced, so its leave will be. */
  announced = false;
  /** Settles when the subscribe in progress is over. */
  joined: Promise<void> | undefined;
  readonly #connection: HubConnection;

  constructor(connection: HubConnection, live: LiveChannel, options: SubscribeOptions) {
    this.#connection = connection;
    this.live = live;
    this.options = options;
    this.detail = options.detail;
  }

  get subscriber(): Subscriber {
    return this.#connection.subscriber;
  }

  get channel(): Channel {
    return this.live.channel;
  }

  get position(): StreamPosition | undefined {
    return this.live.top;
  }

  get positioned(): boolean {
    const { positioned, recoverSince } = this.options;
    return positioned === true || recoverSince !== undefined;
  }

  get client(): ClientInfo {
    const { connectionId, userId, info } = this.subscriber;
    const { channelInfo } = this.options;
    return {
      connectionId,
      userId,
      ...(info === undefined ? {} : { info }),
      ...(channelInfo === undefined ? {} : { channelInfo }),
    };
  }

  drop(): void {
    this.#connection.drop(this);
  }
}

export class HubConnection implements Connection {
  readonly subscriber: Subscriber;
  /** Epoch milliseconds. */
  readonly connectedMs: number;
  /** One is kept as it is: most connections of a large server have no more, and a map costs more than all else here. */
  #subscriptions: HubSubscription | Map<LiveChannel, HubSubscription> | undefined;
  #labels: Set<string> | undefined;
  #closed = false;
  readonly #host: ConnectionHost;

  constructor(host: ConnectionHost, subscriber: Subscriber) {
    this.#host = host;
    this.subscriber = subscriber;
    this.connectedMs = host.clock.epochMs();
  }

  get subscriptionCount(): number {
    const kept = this.#subscriptions;
    if (kept === undefined) return 0;
    return kept instanceof Map ? kept.size : 1;
  }

  get labels(): Iterable<string> {
    return this.#labels ?? [];
  }

  subscription(channel: Channel): HubSubscription | undefined {
    const live = this.#subscriptions === undefined ? undefined : this.#host.channels.find(channel);
    return live === undefined ? undefined : this.#get(live);
  }

  subscriptions(): Iterable<HubSubscription> {
    const kept = this.#subscriptions;
    if (kept === undefined) return [];
    return kept instanceof Map ? kept.values() : [kept];
  }

  #get(live: LiveChannel): HubSubscription | undefined {
    const kept = this.#subscriptions;
    if (kept instanceof Map) return kept.get(live);
    return kept?.live === live ? kept : undefined;
  }

  #add(subscription: HubSubscription): void {
    const kept = this.#subscriptions;
    if (kept === undefined) this.#subscriptions = subscription;
    else if (kept instanceof Map) kept.set(subscription.live, subscription);
    else this.#subscriptions = new Map([kept, subscription].map((each) => [each.live, each]));
  }

  async subscribe(
    channel: Channel,
    options: SubscribeOptions,
    reply: (subscribed: Subscribed) => void,
  ): Promise<void> {
    if (this.#closed) return;
    if (this.subscription(channel) !== undefined) {
      throw new HubError("already_subscribed", "Already subscribed");
    }
    const live = this.#host.channels.acquire(channel);
    const subscription = new HubSubscription(this, live, options);
    this.#add(subscription);
    subscription.joined = this.#join(subscription, reply);
    try {
      await subscription.joined;
    } catch (error) {
      this.#remove(subscription);
      throw error;
    } finally {
      subscription.joined = undefined;
      if (subscription.cancelled) this.#remove(subscription);
    }
  }

  async #join(
    subscription: HubSubscription,
    reply: (subscribed: Subscribed) => void,
  ): Promise<void> {
    const { live, options } = subscription;
    const { channel } = live;
    const { engine, channels } = this.#host;
    await live.listening;
    if (subscription.cancelled) return;
    const present = options.presence ?? channels.optionsOf(channel)?.presence ?? false;
    if (present) await engine.presence.put(channel, subscription.client);
    const cancelled = (): boolean => subscription.cancelled;
    const complete = (subscribed: Subscribed): void => {
      subscription.active = true;
      reply(subscribed);
      // The answer may have closed the connection: a peer that is gone, a frame that could not be sent.
      if (!subscription.cancelled) live.add(subscription);
    };
    const atPosition = subscription.positioned || options.replayNewest !== undefined;
    const metaTtlMs = atPosition ? channels.metaTtlOf(channel) : undefined;
    if (metaTtlMs !== undefined) {
      const at = { ...options, metaTtlMs };
      await joinAtPosition(live, engine.broker, at, cancelled, complete);
    } else if (!cancelled()) complete({ publications: [] });
    if (subscription.cancelled) {
      if (present) await engine.presence.remove(channel, this.subscriber.connectionId);
    } else if (options.joinLeave ?? channels.optionsOf(channel)?.joinLeave ?? false) {
      subscription.announced = true;
      await this.#announce(channel, { type: "join", client: subscription.client });
    }
  }

  /** Once a client was told of its own coming or going, an engine that is away changes nothing about it. */
  async #announce(channel: Channel, announcement: Announcement): Promise<void> {
    const { channels, engine } = this.#host;
    const positioned = channels.metaTtlOf(channel) !== undefined;
    try {
      await engine.broker.announce(channel, announcement, { positioned });
    } catch (error) {
      this.#host.onBug(error);
    }
  }

  move(channel: Channel, route: Route): boolean {
    const subscription = this.subscription(channel);
    if (subscription === undefined) return false;
    const { active, live } = subscription;
    // Publications go out synchronously, so that none falls between the two.
    if (active) live.delete(subscription, { keepsHeld: true });
    subscription.options = { ...subscription.options, member: undefined, ...route };
    if (active) live.add(subscription);
    return true;
  }

  async unsubscribe(channel: Channel): Promise<boolean> {
    const subscription = this.subscription(channel);
    if (subscription === undefined) return false;
    // Not cancelled but waited for: a client that asks for both is owed both answers.
    if (subscription.joined !== undefined) await subscription.joined.catch(ignore);
    if (this.#get(subscription.live) !== subscription) return false;
    await this.#end(subscription);
    return true;
  }

  /** Ends one subscription at once; nothing of its channel is sent after the call. Undefined: nobody is told of it. */
  #end(subscription: HubSubscription): Promise<void> | undefined {
    if (subscription.cancelled) return undefined;
    subscription.cancelled = true;
    // A join in progress sees that it was cancelled and cleans up behind itself.
    if (subscription.joined !== undefined && !subscription.active) return undefined;
    this.#remove(subscription);
    const { channel, options, announced } = subscription;
    const present = options.presence ?? this.#host.channels.optionsOf(channel)?.presence ?? false;
    return present || announced ? this.#tellLeave(subscription, present) : undefined;
  }

  async #tellLeave(subscription: HubSubscription, present: boolean): Promise<void> {
    const { channel, client } = subscription;
    if (present) await this.#host.engine.presence.remove(channel, client.connectionId);
    if (subscription.announced) await this.#announce(channel, { type: "leave", client });
  }

  #remove(subscription: HubSubscription): void {
    if (this.#get(subscription.live) !== subscription) return;
    if (this.#subscriptions instanceof Map) this.#subscriptions.delete(subscription.live);
    else this.#subscriptions = undefined;
    subscription.live.delete(subscription);
    subscription.active = false;
    this.#host.channels.release(subscription.live);
  }

  /** After a gap that could not be filled. */
  drop(subscription: HubSubscription): void {
    if (subscription.cancelled) return;
    this.#end(subscription)?.catch((error: unknown) => this.#host.onBug(error));
    this.subscriber.dropped(subscription);
  }

  label(label: string): void {
    if (this.#closed) return;
    (this.#labels ??= new Set()).add(label);
    this.#host.connections.label(this, label);
  }

  unlabel(label: string): void {
    if (this.#labels?.delete(label)) this.#host.connections.unlabel(this, label);
  }

  close(): Promise<void> | undefined {
    if (this.#closed) return undefined;
    this.#closed = true;
    this.#host.connections.delete(this);
    const told: Promise<void>[] = [];
    // A copy: ending takes them out of the list.
    for (const subscription of [...this.subscriptions()]) {
      const telling = this.#end(subscription);
      if (telling !== undefined) told.push(telling);
    }
    return told.length === 0 ? undefined : this.#leave(Promise.all(told));
  }

  async #leave(told: Promise<unknown>): Promise<void> {
    const { leaving } = this.#host;
    leaving.add(told);
    try {
      await told;
    } finally {
      leaving.delete(told);
    }
  }
}

function ignore(): void {}

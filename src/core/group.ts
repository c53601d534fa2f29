/** The subscriptions of one channel that share an encoder: one encode, one native publish per listener. */
import type { Disconnect } from "./errors.ts";
import type { Fanout, GroupAudience, GroupMember } from "./fanout.ts";
import { countOf, eachOf, hasOne, withOne, withoutOne, type Few } from "./few.ts";
import type { Encoder, SubscribeOptions, Subscriber, Subscription } from "./hub.ts";
import type { Channel, Frame, Push } from "./types.ts";

export interface ActiveSubscription extends Subscription {
  readonly subscriber: Subscriber;
  readonly options: SubscribeOptions;
  /** It was told a position, and relies on what follows it. */
  readonly positioned: boolean;
  /** Ends it, since it missed something. */
  drop(): void;
}

export class Group implements GroupAudience {
  readonly encoder: Encoder;
  readonly channel: Channel;
  readonly #name: string;
  /** Most channels of a large server have one. */
  #subscriptions: Few<ActiveSubscription>;
  /** A listener with members here, and their number. */
  #fanout: Fanout | undefined;
  #members = 0;
  /** The members are in the native group, from the second one or the first push on. Without it a channel of its own costs a connection 0.6 KB less. */
  #native = false;
  /** Further ones, which is seldom. */
  #others: { readonly fanout: Fanout; members: number }[] | undefined;

  /** `name` is unique in the process and names the native topic. */
  constructor(name: string, channel: Channel, encoder: Encoder) {
    this.#name = name;
    this.channel = channel;
    this.encoder = encoder;
  }

  get join(): Encoder["join"] {
    return this.encoder.join;
  }

  get size(): number {
    return countOf(this.#subscriptions);
  }

  /** Of each of them, since encoders are a dialect's own. */
  get dialect(): string | undefined {
    for (const { subscriber } of this.subscriptions) return subscriber.dialect;
    return undefined;
  }

  get subscriptions(): Iterable<ActiveSubscription> {
    return eachOf(this.#subscriptions);
  }

  *members(): Iterable<GroupMember> {
    for (const { options } of this.subscriptions) {
      if (options.member !== undefined) yield options.member;
    }
  }

  add(subscription: ActiveSubscription): void {
    this.#subscriptions = withOne(this.#subscriptions, subscription);
    const { member } = subscription.options;
    if (member === undefined) return;
    this.#countMember(member.fanout);
    if (this.#native) member.join(this.#name);
    else if (this.size > 1) this.goNative();
  }

  /** To be called for all groups of the channel before a push: joining sends on its way what was published before. */
  goNative(): void {
    if (this.#native) return;
    this.#native = true;
    for (const member of this.members()) member.join(this.#name);
  }

  /** `keepsHeld`: what its socket holds back of the group still goes out. */
  delete(subscription: ActiveSubscription, options: { readonly keepsHeld: boolean }): void {
    if (!hasOne(this.#subscriptions, subscription)) return;
    this.#subscriptions = withoutOne(this.#subscriptions, subscription);
    const { member } = subscription.options;
    if (member === undefined) return;
    if (this.#native) member.leave(this.#name, options);
    this.#uncountMember(member.fanout);
  }

  #countMember(fanout: Fanout): void {
    if (this.#fanout === undefined || this.#fanout === fanout) {
      this.#fanout = fanout;
      this.#members++;
      return;
    }
    this.#others ??= [];
    const other = this.#others.find((listener) => listener.fanout === fanout);
    if (other === undefined) this.#others.push({ fanout, members: 1 });
    else other.members++;
  }

  #uncountMember(fanout: Fanout): void {
    if (fanout === this.#fanout) {
      if (--this.#members > 0) return;
      const next = this.#others?.pop();
      this.#fanout = next?.fanout;
      this.#members = next?.members ?? 0;
      return;
    }
    const others = this.#others ?? [];
    const index = others.findIndex((listener) => listener.fanout === fanout);
    const other = others[index];
    if (other !== undefined && --other.members === 0) others.splice(index, 1);
  }

  /** The disconnect that the encoder asks for, if it cannot carry the push. */
  send(push: Push, except?: ActiveSubscription): Disconnect | undefined {
    if (except !== undefined && this.#subscriptions === except) return undefined;
    const frame = this.encoder.encode(push);
    if (frame === undefined) return undefined;
    if (isDisconnect(frame)) return frame;
    if (this.encoder.completes?.(push) === true) {
      this.#sendOneByOne(frame, push, { except, members: true });
      return undefined;
    }
    const exceptMember = except?.options.member;
    let members = this.#members;
    this.#fanout?.publish(this.#name, frame, exceptMember, this);
    for (const { fanout, members: count } of this.#others ?? NOBODY) {
      members += count;
      fanout.publish(this.#name, frame, exceptMember, this);
    }
    if (members < this.size) {
      this.#sendOneByOne(frame, push, { except, members: false });
    }
    return undefined;
  }

  /** `members`: to those with a member as well. */
  #sendOneByOne(
    frame: Frame,
    push: Push,
    { except, members }: { except: ActiveSubscription | undefined; members: boolean },
  ): void {
    for (const subscription of [...this.subscriptions]) {
      const { options, subscriber } = subscription;
      if (subscription === except || (!members && options.member !== undefined)) continue;
      // Another one's `send` may have ended it.
      if (hasOne(this.#subscriptions, subscription)) subscriber.send(frame, push, this.#name);
    }
  }
}

const NOBODY: readonly { readonly fanout: Fanout; members: number }[] = [];

export function isDisconnect(frame: Frame | Disconnect): frame is Disconnect {
  return typeof frame === "object" && "disconnect" in frame;
}

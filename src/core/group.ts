/** The subscriptions of one channel that share an encoder: one encode, one native publish per listener. */
import type { Disconnect } from "./errors.ts";
import type { Fanout, GroupAudience, GroupMember } from "./fanout.ts";
import type { Encoder, SubscribeOptions, Subscriber, Subscription } from "./hub.ts";
import type { Frame, Push } from "./types.ts";

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
  readonly #name: string;
  readonly #subscriptions = new Set<ActiveSubscription>();
  /** Listeners with members here, with their number. Mostly one. */
  readonly #listeners: { readonly fanout: Fanout; members: number }[] = [];

  /** `name` is unique in the process and names the native topic. */
  constructor(name: string, encoder: Encoder) {
    this.#name = name;
    this.encoder = encoder;
  }

  get size(): number {
    return this.#subscriptions.size;
  }

  /** Of each of them, since encoders are a dialect's own. */
  get dialect(): string | undefined {
    for (const { subscriber } of this.#subscriptions) return subscriber.dialect;
    return undefined;
  }

  get subscriptions(): Iterable<ActiveSubscription> {
    return this.#subscriptions;
  }

  *members(): Iterable<GroupMember> {
    for (const { options } of this.#subscriptions) {
      if (options.member !== undefined) yield options.member;
    }
  }

  add(subscription: ActiveSubscription): void {
    this.#subscriptions.add(subscription);
    const { member } = subscription.options;
    if (member === undefined) return;
    const listener = this.#listeners.find(({ fanout }) => fanout === member.fanout);
    if (listener === undefined) this.#listeners.push({ fanout: member.fanout, members: 1 });
    else listener.members++;
    member.join(this.#name);
  }

  /** `keepsHeld`: what its socket holds back of the group still goes out. */
  delete(subscription: ActiveSubscription, options: { readonly keepsHeld: boolean }): void {
    if (!this.#subscriptions.delete(subscription)) return;
    const { member } = subscription.options;
    if (member === undefined) return;
    member.leave(this.#name, options);
    const index = this.#listeners.findIndex(({ fanout }) => fanout === member.fanout);
    const listener = this.#listeners[index];
    if (listener !== undefined && --listener.members === 0) this.#listeners.splice(index, 1);
  }

  /** The disconnect that the encoder asks for, if it cannot carry the push. */
  send(push: Push, except?: ActiveSubscription): Disconnect | undefined {
    const frame = this.encoder.encode(push);
    if (frame === undefined) return undefined;
    if (isDisconnect(frame)) return frame;
    if (this.encoder.completes?.(push) === true) {
      this.#sendOneByOne(frame, push, { except, members: true });
      return undefined;
    }
    const exceptMember = except?.options.member;
    let members = 0;
    for (const { fanout, members: count } of this.#listeners) {
      members += count;
      fanout.publish(this.#name, frame, exceptMember, this);
    }
    if (members < this.#subscriptions.size) {
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
    for (const subscription of [...this.#subscriptions]) {
      const { options, subscriber } = subscription;
      if (subscription === except || (!members && options.member !== undefined)) continue;
      // Another one's `send` may have ended it.
      if (this.#subscriptions.has(subscription)) subscriber.send(frame, push, this.#name);
    }
  }
}

export function isDisconnect(frame: Frame | Disconnect): frame is Disconnect {
  return typeof frame === "object" && "disconnect" in frame;
}

/** The official client, unmodified, in both of its builds, with events that can be waited for. */
import {
  Centrifuge,
  type ClientEvents,
  type Options,
  type Subscription,
  type SubscriptionEvents,
  type SubscriptionOptions,
} from "centrifuge";
import { Centrifuge as ProtobufCentrifuge } from "centrifuge/build/protobuf";

export const BUILDS = ["json", "protobuf"] as const;
export type Build = (typeof BUILDS)[number];

type Context<Events extends Listeners, Name extends keyof Events> = Parameters<
  Extract<Events[Name], (context: never) => void>
>[0];
type Listeners = ClientEvents | SubscriptionEvents;

/** Each event is taken once, in the order of its kind. */
export interface Heard<Events extends Listeners> {
  next<Name extends keyof Events>(name: Name): Promise<Context<Events, Name>>;
  /** Those not taken, of one kind. */
  untaken<Name extends keyof Events>(name: Name): Context<Events, Name>[];
  /** Drops those not taken, of one kind. */
  forget(name: keyof Events): void;
  /** The kinds of all events so far, in their order. */
  readonly names: readonly (keyof Events)[];
}

export interface OfficialClient extends Disposable {
  readonly client: Centrifuge;
  readonly heard: Heard<ClientEvents>;
  /** Connects, and gives the context of `connected`. */
  connect(): Promise<Context<ClientEvents, "connected">>;
  /** A subscription that was asked for, and its events. */
  subscribe(channel: string, options?: SubscriptionOptions): HeardSubscription;
  /** The payload for this build: the value itself, or its JSON as bytes. */
  payload(value: unknown): unknown;
  /** The JSON value of a payload that came. */
  value(payload: unknown): unknown;
}

export interface HeardSubscription {
  readonly subscription: Subscription;
  readonly heard: Heard<SubscriptionEvents>;
}

const SUBSCRIPTION_EVENTS = [
  ...(["subscribing", "subscribed", "unsubscribed", "publication"] as const),
  ...(["join", "leave", "error"] as const),
];
const CLIENT_EVENTS = [
  ...SUBSCRIPTION_EVENTS,
  "connecting",
  "connected",
  "disconnected",
  "message",
] as const;

/** Reconnects at once: its timers run on the machine's time. */
const HASTE = { minReconnectDelay: 1, maxReconnectDelay: 5 };
const SUBSCRIPTION_HASTE = { minResubscribeDelay: 1, maxResubscribeDelay: 5 };

export function createOfficial(
  build: Build,
  url: string,
  options: Partial<Options> = {},
): OfficialClient {
  // Its classes differ in nothing but the codec; private members keep the types apart.
  const Made = build === "json" ? Centrifuge : (ProtobufCentrifuge as unknown as typeof Centrifuge);
  const client = new Made(url, { ...HASTE, ...options });
  const heard = hear<ClientEvents>(client, CLIENT_EVENTS);
  return {
    client,
    heard,
    connect() {
      client.connect();
      return heard.next("connected");
    },
    subscribe(channel, given = {}) {
      const subscription = client.newSubscription(channel, { ...SUBSCRIPTION_HASTE, ...given });
      const events = hear<SubscriptionEvents>(subscription, SUBSCRIPTION_EVENTS);
      subscription.subscribe();
      return { subscription, heard: events };
    },
    payload: (value) =>
      build === "json" ? value : new TextEncoder().encode(JSON.stringify(value)),
    value: (payload) =>
      build === "json" ? payload : JSON.parse(new TextDecoder().decode(payload as Uint8Array)),
    [Symbol.dispose]: () => client.disconnect(),
  };
}

/** What a call was rejected with; throws when it was not. */
export async function failure(call: Promise<unknown>): Promise<unknown> {
  let result: unknown;
  try {
    result = await call;
  } catch (error) {
    return error;
  }
  throw new Error(`Not rejected, but: ${JSON.stringify(result)}`);
}

interface Emitter {
  on(name: string, listener: (context: unknown) => void): unknown;
}

function hear<Events extends Listeners>(
  emitter: object,
  kinds: readonly (keyof Events & string)[],
): Heard<Events> {
  const names: (keyof Events)[] = [];
  const untaken = new Map<keyof Events, unknown[]>();
  const waiting = new Map<keyof Events, ((context: unknown) => void)[]>();
  for (const kind of kinds) {
    untaken.set(kind, []);
    waiting.set(kind, []);
    (emitter as Emitter).on(kind, (context) => {
      names.push(kind);
      const waiter = waiting.get(kind)?.shift();
      if (waiter === undefined) untaken.get(kind)?.push(context);
      else waiter(context);
    });
  }
  return {
    names,
    forget: (name) => void untaken.get(name)?.splice(0),
    untaken: <Name extends keyof Events>(name: Name) =>
      (untaken.get(name) ?? []) as Context<Events, Name>[],
    next: <Name extends keyof Events>(name: Name) => {
      const first = untaken.get(name)?.shift();
      if (first !== undefined) return Promise.resolve(first as Context<Events, Name>);
      return new Promise<Context<Events, Name>>((resolve) =>
        waiting.get(name)?.push((context) => resolve(context as Context<Events, Name>)),
      );
    },
  };
}

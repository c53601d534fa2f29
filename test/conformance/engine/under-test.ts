/** What the engine's cases share: the engine under test, an app of its own for each case, and short words for events. */
import { expect } from "bun:test";
import type {
  Broker,
  ChannelEvent,
  ChannelListener,
  Engine,
  HistoryLimits,
} from "../../../src/core/engine.ts";
import type { Channel, ClientInfo, NewPublication, Publication } from "../../../src/core/types.ts";
import { jsonOf } from "../../../src/core/json-text.ts";

export interface EngineUnderTest extends AsyncDisposable {
  /** Started, and empty but for what this suite's other engines left under other app ids. */
  readonly engine: Engine;
  /** Lets this much time pass for everything that expires, and for `ask`. */
  advance(ms: number): Promise<void>;
}

// No round numbers: an engine that tidies up every so often must not be helped by falling in step with the cases of time.
export const LIMITS: HistoryLimits = { size: 10, ttlMs: 61_234, metaTtlMs: 601_234 };
export const META_TTL_MS = LIMITS.metaTtlMs;
export const ROOM: Channel = { space: "channels", name: "room" };
export const ALL = { limit: 1000 };

export type Create = () => Promise<EngineUnderTest>;

let lastApp = 0;

/** An app of its own for each case, so that cases cannot meet in an engine with a shared server. */
export async function setUp(create: Create) {
  const under = await create();
  const appId = `app-${process.pid}-${(lastApp += 1)}`;
  return {
    under,
    appId,
    app: under.engine.app(appId),
    [Symbol.asyncDispose]: () => under[Symbol.asyncDispose](),
  };
}

export function json(value: unknown): NewPublication {
  return { data: { json: jsonOf(value ?? null) } };
}

export function client(connectionId: string, userId = ""): ClientInfo {
  return { connectionId, userId };
}

export function recorder(): ChannelListener & { readonly events: ChannelEvent[] } {
  const events: ChannelEvent[] = [];
  return { events, onEvent: (event) => void events.push(event) };
}

/** What came, in short: a publication's data, or the event's type and connection. */
export function told(events: readonly ChannelEvent[]): unknown[] {
  return events.map((event) => {
    if (event.type === "publication") return value(event.publication);
    if (event.type === "gap") return "gap";
    return event.type === "note" ? event.note : `${event.type} ${event.client.connectionId}`;
  });
}

export function value({ data }: NewPublication): unknown {
  return "json" in data ? JSON.parse(data.json) : data.bytes;
}

export function values(publications: readonly Publication[]): unknown[] {
  return publications.map(value);
}

export function offsets(publications: readonly Publication[]): unknown[] {
  return publications.map(({ position }) => position?.offset);
}

/**
 * What a page holds and what the listener was told when it resolved. The same, where nothing can be lost on the way. Elsewhere
 * answers and events come over a network by ways of their own, and the core joins channels without their being in step;
 * but neither may hold anything that the other will not: one is how the other begins.
 */
export function expectInStep(
  broker: Broker,
  page: readonly unknown[],
  events: readonly unknown[],
): void {
  if (broker.lossless) return expect(page).toEqual(events);
  const common = Math.min(page.length, events.length);
  expect(page.slice(0, common)).toEqual(events.slice(0, common));
}

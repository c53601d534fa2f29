/** What this node does and says when it is asked: by another node, or by its own hub, which asks all alike. */
import type { ChannelTable } from "./channel-table.ts";
import type { HubConnection } from "./connection.ts";
import type { ConnectionIndex } from "./connection-index.ts";
import type { ControlHandlers } from "./control.ts";
import type { Disconnect } from "./errors.ts";
import { isDisconnect } from "./group.ts";
import type { ChannelFilter, Encoder, NodeInfo, Subscriber, UserFilter } from "./hub.ts";
import { CONTROL_DEADLINE_MS, DISCONNECTS_AT_ONCE } from "./limits.ts";
import { isReachable, type Namespaces } from "./namespaces.ts";
import { createRowAnswers, looksOf } from "./row-answers.ts";
import type { Runtime } from "./runtime.ts";
import { Slices } from "./slices.ts";
import { CHANNELS, type Frame, type Push } from "./types.ts";

export interface AnswersOptions {
  readonly connections: ConnectionIndex<HubConnection>;
  readonly channels: ChannelTable;
  readonly namespaces: Namespaces;
  readonly runtime: Runtime;
  readonly nodeId: string;
  readonly stats: () => Omit<NodeInfo, "id" | "uptimeMs">;
  readonly services: ReadonlyMap<string, (request: unknown) => unknown>;
}

export function createAnswers(options: AnswersOptions): ControlHandlers {
  const { connections, channels, namespaces, runtime, nodeId, stats, services } = options;
  const { clock } = runtime;
  const startedMs = clock.monotonicMs();

  /** A walk for a node that asked, which does not wait for ever. */
  function answering(): Slices {
    return new Slices(runtime, { deadlineMs: CONTROL_DEADLINE_MS });
  }

  async function countChannels(
    { space = CHANNELS, reach = "all", pattern }: ChannelFilter,
    matches: (name: string) => boolean,
  ): Promise<[name: string, connections: number][]> {
    // One that goes and comes again while it is walked is met twice.
    const met = new Set<string>();
    const found: [name: string, connections: number][] = [];
    const live = channels.inSpace(space);
    const visit = (name: string): void => {
      // Some clients may join the channel without a name; nothing that lists names shows it.
      if (name === "" || !matches(name)) return;
      const size = live.get(name)?.size ?? 0;
      if (size === 0 || met.has(name) || !isReachable(namespaces, name, reach)) return;
      met.add(name);
      found.push([name, size]);
    };
    await answering().each(live.keys(), visit, looksOf(pattern));
    return found;
  }

  async function findUsers({ channel }: UserFilter): Promise<readonly string[]> {
    const found = new Set<string>();
    if (channel === undefined) {
      await answering().each(connections.userIds(), (userId) => found.add(userId));
      return [...found];
    }
    await answering().each(channels.find(channel)?.active() ?? [], ({ subscriber }) => {
      if (subscriber.userId !== "") found.add(subscriber.userId);
    });
    return [...found];
  }

  return {
    push(target, push) {
      const frames = new Map<Encoder, Frame | Disconnect | undefined>();
      const direct: Push = { type: "direct", ...push };
      const found = connections.matching(target);
      for (const { subscriber } of found) deliver(subscriber, direct, frames);
      return found.length;
    },
    disconnect(target, reason, except) {
      const found = connections
        .matching(target)
        .filter(({ subscriber }) => !except.includes(subscriber.connectionId));
      const { length } = found;
      const tell = ({ subscriber }: HubConnection): void => subscriber.disconnect(reason);
      // Those of the first slice have it before anything else can happen; to the others it makes no difference.
      for (const connection of found.slice(0, DISCONNECTS_AT_ONCE)) tell(connection);
      if (length <= DISCONNECTS_AT_ONCE) return length;
      const rest = found.slice(DISCONNECTS_AT_ONCE);
      return new Slices(runtime).each(rest, tell).then(() => length);
    },
    async signal(target, dialect, body) {
      const found = connections
        .matching(target)
        .filter(({ subscriber }) => subscriber.dialect === dialect);
      const concerned = await Promise.all(
        found.map(async ({ subscriber }) => subscriber.signal(body)),
      );
      return concerned.filter(Boolean).length;
    },
    channels: countChannels,
    users: findUsers,
    ...createRowAnswers(options, answering),
    service: (service, request) => services.get(service)?.(request) ?? null,
    node: () => ({ id: nodeId, ...stats(), uptimeMs: clock.monotonicMs() - startedMs }),
  };
}

function deliver(
  subscriber: Subscriber,
  push: Push,
  frames: Map<Encoder, Frame | Disconnect | undefined>,
): void {
  const { encoder } = subscriber;
  if (!frames.has(encoder)) frames.set(encoder, encoder.encode(push));
  const frame = frames.get(encoder);
  if (frame === undefined) return;
  if (isDisconnect(frame)) subscriber.disconnect(frame);
  else subscriber.send(frame, push);
}

/** The hub's questions to all nodes, this one included, as plain data, and the gathering of their answers. */
import { ChannelPatterns, needsRe2, type MatchesName } from "./channel-pattern.ts";
import type { ControlBus } from "./engine.ts";
import { HubError, type Disconnect } from "./errors.ts";
import type { AskOptions, ChannelFilter, NodeInfo, UserFilter } from "./hub.ts";
import { CONTROL_DEADLINE_MS, NAMES_BETWEEN_LOOKS } from "./limits.ts";
import {
  pageOf,
  sumOf,
  type ChannelRow,
  type ConnectionFilter,
  type ConnectionRow,
  type Occupancy,
  type Page,
  type PageQuery,
} from "./pages.ts";
import { fromPortable, toPortable, type PortablePayload } from "./payload.ts";
import type { Runtime } from "./runtime.ts";
import { Slices } from "./slices.ts";
import { sortByBytes } from "./sort-by-bytes.ts";
import type { Channel, Payload, Reached, Tags, Target } from "./types.ts";

interface DirectPush {
  readonly data: Payload;
  readonly tags?: Tags;
}

type Question =
  | { ask: "push"; target: Target; data: PortablePayload; tags?: Tags }
  | { ask: "disconnect"; target: Target; reason: Disconnect; except: readonly string[] }
  | { ask: "signal"; target: Target; dialect: string; body: unknown }
  | { ask: "channels"; filter: ChannelFilter }
  | { ask: "users"; filter: UserFilter }
  | { ask: "channelPage"; query: ChannelFilter & PageQuery }
  | { ask: "connectionPage"; query: ConnectionFilter & PageQuery }
  | { ask: "occupancy"; of: Channel | ChannelFilter }
  | { ask: "warmUp" }
  | { ask: "node" }
  | { ask: "service"; service: string; request: unknown };

type ChannelCounts = readonly (readonly [name: string, connections: number])[];

/** What this node does when asked. The first three answer how many connections were matched. */
export interface ControlHandlers {
  push(target: Target, push: DirectPush): number;
  disconnect(
    target: Target,
    reason: Disconnect,
    except: readonly string[],
  ): number | Promise<number>;
  signal(target: Target, dialect: string, body: unknown): Promise<number>;
  channels(filter: ChannelFilter, matches: MatchesName): Promise<ChannelCounts>;
  /** The first rows behind `after`: each node's own. */
  channelRows(
    query: ChannelFilter & PageQuery,
    matches: MatchesName,
  ): Promise<readonly ChannelRow[]>;
  connectionRows(query: ConnectionFilter & PageQuery): Promise<readonly ConnectionRow[]>;
  occupancyOf(channel: Channel): Occupancy;
  occupancy(filter: ChannelFilter, matches: MatchesName): Promise<Occupancy>;
  /** Each once. */
  users(filter: UserFilter): Promise<readonly string[]>;
  node(): NodeInfo;
  /** Null: no answer. */
  service(service: string, request: unknown): unknown;
}

export interface Control {
  push(target: Target, push: DirectPush): Promise<Reached>;
  disconnect(target: Target, reason: Disconnect, except: readonly string[]): Promise<Reached>;
  signal(target: Target, dialect: string, body: unknown): Promise<Reached>;
  channels(filter: ChannelFilter): Promise<ReadonlyMap<string, number>>;
  users(filter: UserFilter): Promise<readonly string[]>;
  channelPage(query: ChannelFilter & PageQuery): Promise<Page<ChannelRow>>;
  connectionPage(query: ConnectionFilter & PageQuery): Promise<Page<ConnectionRow>>;
  occupancy(of: Channel | ChannelFilter): Promise<Occupancy>;
  nodes(): Promise<readonly NodeInfo[]>;
  ask(service: string, request: unknown, options: AskOptions): Promise<readonly unknown[]>;
}

export function createControl(
  bus: ControlBus,
  handlers: ControlHandlers,
  runtime: Pick<Runtime, "clock" | "timers">,
): Control {
  const patterns = new ChannelPatterns(runtime);

  async function matcher({ pattern, prefix = "" }: ChannelFilter): Promise<MatchesName> {
    if (pattern === undefined) return (name) => name.startsWith(prefix);
    const matches = await patterns.compile(pattern);
    return prefix === "" ? matches : (name) => name.startsWith(prefix) && matches(name);
  }

  bus.serve((request) => answer(request as Question, handlers, { patterns, matcher }));

  /**
   * Before a question with a pattern: a bad one is this caller's error. At the first that needs it all nodes warm up, with a deadline of
   * its own: one that did within the question's might be late with its part of the answer.
   */
  async function prepare(filter: ChannelFilter): Promise<void> {
    const { pattern } = filter;
    const first = pattern !== undefined && needsRe2(pattern) && !patterns.warm;
    if (first) await bus.ask({ ask: "warmUp" }, CONTROL_DEADLINE_MS);
    await matcher(filter);
  }

  /** For lists: one without any node's part would pass for an empty one. */
  async function gather(question: Question): Promise<readonly unknown[]> {
    const { answers } = await bus.ask(question, CONTROL_DEADLINE_MS);
    if (answers.length === 0) throw new HubError("unavailable", "No node answered in time");
    return answers;
  }

  async function reach(question: Question): Promise<Reached> {
    const { answers, nodesAsked } = await bus.ask(question, CONTROL_DEADLINE_MS);
    const matched = (answers as number[]).reduce((sum, count) => sum + count, 0);
    return { matched, nodesAnswered: answers.length, nodesAsked };
  }

  return {
    push: (target, { data, tags }) =>
      reach({
        ask: "push",
        target,
        data: toPortable(data),
        ...(tags === undefined ? {} : { tags }),
      }),
    disconnect: (target, reason, except) => reach({ ask: "disconnect", target, reason, except }),
    signal: (target, dialect, body) => reach({ ask: "signal", target, dialect, body }),
    async channels(filter) {
      await prepare(filter);
      const answers = await gather({ ask: "channels", filter });
      const slices = new Slices(runtime);
      const counts = new Map<string, number>();
      for (const found of answers as ChannelCounts[]) {
        const add = ([name, count]: ChannelCounts[number]): void => {
          counts.set(name, (counts.get(name) ?? 0) + count);
        };
        await slices.each(found, add, { betweenLooks: NAMES_BETWEEN_LOOKS });
      }
      return counts;
    },
    async users(filter) {
      const slices = new Slices(runtime);
      const [first = [], ...others] = (await gather({ ask: "users", filter })) as string[][];
      // Of one node each comes once, so that telling them apart is for several.
      if (others.length === 0) return sortByBytes(first, slices);
      const users = new Set<string>();
      for (const found of [first, ...others]) await slices.each(found, (user) => users.add(user));
      return sortByBytes([...users], slices);
    },
    async channelPage({ limit, ...filter }) {
      await prepare(filter);
      const query = { ...filter, limit: limit + 1 };
      const answers = (await gather({ ask: "channelPage", query })) as ChannelRow[][];
      const byName = new Map<string, Occupancy>();
      for (const { name, connections } of answers.flat()) {
        byName.set(name, sumOf([byName.get(name) ?? {}, connections]));
      }
      const rows = [...byName].map(([name, connections]) => ({ name, connections }));
      return pageOf(rows, limit, ({ name }) => name);
    },
    async connectionPage({ limit, ...filter }) {
      const query = { ...filter, limit: limit + 1 };
      const answers = (await gather({ ask: "connectionPage", query })) as ConnectionRow[][];
      return pageOf(answers.flat(), limit, ({ id }) => id);
    },
    async occupancy(of) {
      if (!("name" in of)) await prepare(of);
      return sumOf((await gather({ ask: "occupancy", of })) as Occupancy[]);
    },
    async nodes() {
      const { answers } = await bus.ask({ ask: "node" }, CONTROL_DEADLINE_MS);
      return answers as NodeInfo[];
    },
    async ask(service, request, { node, deadlineMs = CONTROL_DEADLINE_MS }) {
      const { answers } = await bus.ask({ ask: "service", service, request }, deadlineMs, node);
      return answers.filter((given) => given !== null);
    },
  };
}

interface Matching {
  readonly patterns: ChannelPatterns;
  readonly matcher: (filter: ChannelFilter) => Promise<MatchesName>;
}

function answer(
  question: Question,
  handlers: ControlHandlers,
  { patterns, matcher }: Matching,
): unknown {
  switch (question.ask) {
    case "push": {
      const { target, data, tags } = question;
      return handlers.push(target, {
        data: fromPortable(data),
        ...(tags === undefined ? {} : { tags }),
      });
    }
    case "disconnect":
      return handlers.disconnect(question.target, question.reason, question.except);
    case "signal":
      return handlers.signal(question.target, question.dialect, question.body);
    case "channels": {
      const { filter } = question;
      return matcher(filter).then((matches) => handlers.channels(filter, matches));
    }
    case "users":
      return handlers.users(question.filter);
    case "channelPage": {
      const { query } = question;
      return matcher(query).then((matches) => handlers.channelRows(query, matches));
    }
    case "connectionPage":
      return handlers.connectionRows(question.query);
    case "occupancy": {
      const { of } = question;
      if ("name" in of) return handlers.occupancyOf(of);
      return matcher(of).then((matches) => handlers.occupancy(of, matches));
    }
    case "warmUp":
      return patterns.warmUp().then(() => true);
    case "node":
      return handlers.node();
    case "service":
      return handlers.service(question.service, question.request);
  }
}

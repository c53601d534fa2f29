/** The chat of one app on nodes that share an engine, without sockets: the engine of the run (`engine.ts`), and what a test breaks of it. */
import { createHub, type OwnedHub } from "../../src/core/create-hub.ts";
import type { AppEngine, Engine, Records } from "../../src/core/engine.ts";
import { compactJson } from "../../src/core/json-text.ts";
import type { BacklogItem, Chat, Membership } from "../../src/dialects/messaging/chat/contract.ts";
import { createChat } from "../../src/dialects/messaging/chat/index.ts";
import type { ChatSettings } from "../../src/dialects/messaging/chat/settings.ts";
import { Refusal } from "../../src/dialects/messaging/errors.ts";
import { createTestEngine, TEST_ENGINE } from "./engine.ts";
import { namespaces } from "./recorder.ts";
import { createTestRuntime, type TestRuntime } from "./runtime.ts";

export const DAY_MS = 86_400_000;

const SETTINGS: ChatSettings = {
  content_size_limit: 32_768,
  attributes_size_limit: 4096,
  channel_limit: 500,
  member_limit: 1000,
  history_size: 10_000,
  history_ttl: 30 * DAY_MS,
};

export interface ChatNode {
  readonly chat: Chat;
  readonly hub: OwnedHub;
  readonly engine: AppEngine;
}

export interface ChatNodes extends AsyncDisposable {
  readonly runtime: TestRuntime;
  readonly nodes: readonly ChatNode[];
  /** The first node's. */
  readonly chat: Chat;
  readonly hub: OwnedHub;
  readonly records: Records;
  /** The chat of another app. */
  readonly other: Chat;
  /** Subscribers that are not active. All whose id does not begin with `x` exist. */
  readonly inactive: Set<string>;
  /** What nothing waited for and failed. */
  readonly errors: unknown[];
}

export interface ChatNodesOptions {
  /** Default 1. */
  readonly nodes?: number;
  readonly settings?: Partial<ChatSettings>;
  /** What the first node sees of the engine. */
  readonly change?: (engine: AppEngine) => AppEngine;
}

let runs = 0;

export async function chatNodes(options: ChatNodesOptions = {}): Promise<ChatNodes> {
  const { nodes: count = 1, settings, change = (engine) => engine } = options;
  const runtime = createTestRuntime();
  const inactive = new Set<string>();
  const errors: unknown[] = [];
  const engines = await startEngines(count, runtime);

  function node(app: string, engine: AppEngine): ChatNode {
    const onBug = (error: unknown): void => {
      throw error;
    };
    const hub = createHub({ app, namespaces: namespaces(), engine, runtime, onBug });
    const chat = createChat({
      hub,
      records: engine.records,
      runtime,
      settings: { ...SETTINGS, ...settings },
      subscribers: {
        find: async (id) => (id.startsWith("x") ? undefined : { active: !inactive.has(id) }),
      },
      onError: (error) => void errors.push(error),
    });
    return { chat, hub, engine };
  }

  const all = engines.map((engine, index) => {
    const app = engine.app("a");
    return node("a", index === 0 ? change(app) : app);
  });
  const [first] = all;
  const [engine] = engines;
  if (first === undefined || engine === undefined) throw new Error("There is no node");
  for (const { chat } of all) await chat.start();
  return {
    runtime,
    nodes: all,
    chat: first.chat,
    hub: first.hub,
    records: engine.app("a").records,
    other: node("b", engine.app("b")).chat,
    inactive,
    errors,
    async [Symbol.asyncDispose]() {
      for (const { hub } of all) await hub.close();
      for (const each of new Set(engines)) await each[Symbol.asyncDispose]();
    },
  };
}

/** On the engine of one process all nodes are on one engine. */
async function startEngines(count: number, runtime: TestRuntime): Promise<readonly Engine[]> {
  runs += 1;
  const dataDir = TEST_ENGINE === "redis" ? `chat-${process.pid}-${runs}` : undefined;
  const length = TEST_ENGINE === "redis" ? count : 1;
  const engines = Array.from({ length }, () => createTestEngine({ dataDir, runtime }));
  for (const engine of engines) await engine.start();
  return Array.from({ length: count }, (_, index) => {
    const engine = engines[index % length];
    if (engine === undefined) throw new Error("There is no engine");
    return engine;
  });
}

/** What the call is refused with, and its field. */
export async function refusal(call: Promise<unknown>): Promise<string> {
  try {
    await call;
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    const { field } = error.details;
    return field === undefined ? error.error : `${error.error} ${field}`;
  }
  return "done";
}

/** A channel of the first of them, which the others have joined in their order. */
export async function channelOf(
  chat: Chat,
  [creator = "", ...others]: readonly string[],
): Promise<Membership> {
  const made = await chat.channels.create(creator, { name: "Night shift" });
  for (const subscriber of others) {
    await chat.channels.join(subscriber, { inviteToken: made.inviteToken });
  }
  return made;
}

export async function memberIds(chat: Chat, caller: string, channelId: string) {
  return (await chat.members.list(caller, channelId, {})).items.map(({ subscriber }) => subscriber);
}

export async function administrators(chat: Chat, caller: string, channelId: string) {
  const { items } = await chat.members.list(caller, channelId, {});
  return items.flatMap(({ subscriber, administrator }) => (administrator ? [subscriber] : []));
}

export const text = (content: string) => ({ content });
export const attributes = (json: string) => compactJson(json);

export async function backlogOf(chat: Chat, subscriber: string): Promise<readonly BacklogItem[]> {
  const items: BacklogItem[] = [];
  for await (const item of chat.backlog.read(subscriber)) items.push(item);
  return items;
}

/** Every record of the chat, by its key without what all begin with. */
export async function keptKeys(records: Records): Promise<readonly string[]> {
  const found = await records.list("messaging/chat/", { limit: 10_000 });
  return found.map(({ key }) => key.slice("messaging/chat/".length));
}

/** An engine whose records fail from the moment that `breaks` says so: what a kill leaves behind. */
export function breaking(breaks: (keys: readonly string[]) => boolean) {
  return (engine: AppEngine): AppEngine => {
    const { records } = engine;
    const check = (...keys: readonly string[]): void => {
      if (breaks(keys)) throw new Error("Killed");
    };
    const broken: Records = {
      get: (key) => records.get(key),
      list: (prefix, options) => records.list(prefix, options),
      async put(key, value, options) {
        check(key);
        return records.put(key, value, options);
      },
      async delete(key, options) {
        check(key);
        return records.delete(key, options);
      },
      async change(changes) {
        check(...changes.map(({ key }) => key));
        return records.change(changes);
      },
    };
    return { ...engine, records: broken };
  };
}

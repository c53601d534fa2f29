/** The hub's questions to all nodes, this one included, as plain data, and the gathering of their answers. */
import { RE2JS } from "re2js";
import type { ControlBus } from "./engine.ts";
import { HubError, type Disconnect } from "./errors.ts";
import type { ChannelFilter, NodeInfo } from "./hub.ts";
import { CONTROL_DEADLINE_MS, PATTERN_CHARACTERS_MAX } from "./limits.ts";
import type { Payload, Reached, Tags, Target } from "./types.ts";

interface DirectPush {
  readonly data: Payload;
  readonly tags?: Tags;
}

/** A payload as JSON data. */
type PortablePayload = { readonly json: string } | { readonly base64: string };

type Question =
  | { ask: "push"; target: Target; data: PortablePayload; tags?: Tags }
  | { ask: "disconnect"; target: Target; reason: Disconnect; except: readonly string[] }
  | { ask: "signal"; target: Target; dialect: string; body: unknown }
  | { ask: "channels"; filter: ChannelFilter }
  | { ask: "node" };

type ChannelCounts = readonly (readonly [name: string, connections: number])[];

/** What this node does when asked. The first three answer how many connections were matched. */
export interface ControlHandlers {
  push(target: Target, push: DirectPush): number;
  disconnect(target: Target, reason: Disconnect, except: readonly string[]): number;
  signal(target: Target, dialect: string, body: unknown): Promise<number>;
  channels(filter: ChannelFilter, matches: (name: string) => boolean): Promise<ChannelCounts>;
  node(): NodeInfo;
}

export interface Control {
  push(target: Target, push: DirectPush): Promise<Reached>;
  disconnect(target: Target, reason: Disconnect, except: readonly string[]): Promise<Reached>;
  signal(target: Target, dialect: string, body: unknown): Promise<Reached>;
  channels(filter: ChannelFilter): Promise<ReadonlyMap<string, number>>;
  nodes(): Promise<readonly NodeInfo[]>;
}

export function createControl(bus: ControlBus, handlers: ControlHandlers): Control {
  bus.serve((request) => answer(request as Question, handlers));

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
      // Compiled here as well, so that a bad pattern is this caller's error.
      matcher(filter);
      const { answers } = await bus.ask({ ask: "channels", filter }, CONTROL_DEADLINE_MS);
      const counts = new Map<string, number>();
      for (const [name, count] of (answers as ChannelCounts[]).flat()) {
        counts.set(name, (counts.get(name) ?? 0) + count);
      }
      return counts;
    },
    async nodes() {
      const { answers } = await bus.ask({ ask: "node" }, CONTROL_DEADLINE_MS);
      return answers as NodeInfo[];
    },
  };
}

function answer(question: Question, handlers: ControlHandlers): unknown {
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
    case "channels":
      return handlers.channels(question.filter, matcher(question.filter));
    case "node":
      return handlers.node();
  }
}

/** Takes time linear in the name. Throws `bad_request`. */
function matcher({ pattern }: ChannelFilter): (name: string) => boolean {
  if (pattern === undefined) return () => true;
  if (pattern.length > PATTERN_CHARACTERS_MAX) {
    throw new HubError("bad_request", "The channel pattern is too long");
  }
  try {
    const compiled = RE2JS.compile(pattern);
    return (name) => compiled.matcher(name).find();
  } catch (cause) {
    throw new HubError("bad_request", "The channel pattern does not compile", { cause });
  }
}

function toPortable(payload: Payload): PortablePayload {
  return "json" in payload ? payload : { base64: payload.bytes.toBase64() };
}

function fromPortable(payload: PortablePayload): Payload {
  return "json" in payload ? payload : { bytes: Uint8Array.fromBase64(payload.base64) };
}

/** A subscriber that records what it is given, alone or as a member of groups, for tests of the hub without sockets. */
import type { Disconnect } from "../../src/core/errors.ts";
import type { Fanout, GroupMember } from "../../src/core/fanout.ts";
import type { Encoder, Subscribed, Subscriber } from "../../src/core/hub.ts";
import type { ChannelOptions, Namespaces } from "../../src/core/namespaces.ts";
import type { Frame, Push } from "../../src/core/types.ts";

export type Recorded =
  | { readonly got: "push"; readonly push: Push }
  | { readonly got: "reply"; readonly subscribed: Subscribed }
  | { readonly got: "dropped" }
  | { readonly got: "disconnect"; readonly reason: Disconnect };

/** Frames are the pushes themselves, as text. */
export const recordingEncoder: Encoder = {
  name: "test.record",
  encode: (push) => JSON.stringify(push),
};

export class RecordingFanout implements Fanout {
  readonly groups = new Map<string, Set<RecordingMember>>();

  publish(group: string, frame: Frame, exceptMember?: GroupMember): void {
    for (const member of this.groups.get(group) ?? []) {
      if (member !== exceptMember) member.give(group, frame);
    }
  }

  member(give: (frame: Frame) => void): RecordingMember {
    return new RecordingMember(this, give);
  }
}

class RecordingMember implements GroupMember {
  readonly fanout: RecordingFanout;
  readonly #give: (frame: Frame) => void;
  #holds = 0;
  #waiting: { readonly group: string | undefined; readonly frame: Frame }[] = [];

  constructor(fanout: RecordingFanout, give: (frame: Frame) => void) {
    this.fanout = fanout;
    this.#give = give;
  }

  give(group: string, frame: Frame): void {
    if (this.#holds > 0) this.#waiting.push({ group, frame });
    else this.#give(frame);
  }

  push(frame: Frame): void {
    if (this.#holds > 0) this.#waiting.push({ group: undefined, frame });
    else this.#give(frame);
  }

  join(group: string): void {
    const members = this.fanout.groups.get(group) ?? new Set();
    if (members.has(this)) throw new Error("Joined twice");
    this.fanout.groups.set(group, members.add(this));
  }

  leave(group: string, { keepsHeld = false }: { readonly keepsHeld?: boolean } = {}): void {
    const members = this.fanout.groups.get(group);
    if (members?.delete(this) !== true) throw new Error("Left without having joined");
    if (members.size === 0) this.fanout.groups.delete(group);
    if (!keepsHeld) this.#waiting = this.#waiting.filter((waiting) => waiting.group !== group);
  }

  hold(): void {
    this.#holds++;
  }

  release(): void {
    if (--this.#holds > 0) return;
    for (const { frame } of this.#waiting.splice(0)) this.#give(frame);
  }
}

export class Recorder implements Subscriber {
  readonly connectionId: string;
  readonly userId: string;
  readonly member: GroupMember | undefined;
  readonly encoder = recordingEncoder;
  readonly dialect: string;
  readonly unsentBytes = 0;
  readonly recorded: Recorded[] = [];
  readonly signals: unknown[] = [];

  constructor(
    connectionId: string,
    options: { user?: string; fanout?: RecordingFanout; dialect?: string } = {},
  ) {
    this.connectionId = connectionId;
    this.userId = options.user ?? "";
    this.dialect = options.dialect ?? "test";
    this.member = options.fanout?.member((frame) => this.send(frame));
  }

  send(frame: Frame): void {
    this.recorded.push({ got: "push", push: JSON.parse(String(frame)) as Push });
  }

  replied(subscribed: Subscribed): void {
    this.recorded.push({ got: "reply", subscribed });
  }

  dropped(): void {
    this.recorded.push({ got: "dropped" });
  }

  signal(body: unknown): boolean {
    this.signals.push(body);
    return true;
  }

  disconnect(reason: Disconnect): void {
    this.recorded.push({ got: "disconnect", reason });
  }
}

/** Channel options with everything off but what is given. */
export function channelOptions(options: Partial<ChannelOptions> = {}): ChannelOptions {
  return {
    namespace: "",
    dialects: ["test", "streaming"],
    openingRules: "streaming",
    presence: false,
    joinLeave: false,
    own: {},
    publicationDataFormat: "json",
    ...options,
  };
}

export function namespaces(
  withoutNamespace: Partial<ChannelOptions> = {},
  named: Readonly<Record<string, Partial<ChannelOptions>>> = {},
): Namespaces {
  const entries = Object.entries(named).map(
    ([namespace, options]) => [namespace, channelOptions({ namespace, ...options })] as const,
  );
  return {
    withoutNamespace: channelOptions(withoutNamespace),
    named: new Map(entries),
    knowPrefixes: ["streaming"],
  };
}

/**
 * One channel as this node's connections see it: its members on any node, and the notices to each (§2.8). Every node is told of
 * each coming and going by the node where it happens, in that node's order; so the counters of a notice always fit the notices before it.
 * The engine's presence says who was there before, and whose node is gone.
 */
import { jsonOf } from "../../core/json-text.ts";
import type { PresenceStore, Records } from "../../core/engine.ts";
import type { Scheduled } from "../../core/schedule.ts";
import type { ClientInfo } from "../../core/types.ts";
import type { SessionServices } from "../dialect.ts";
import { ROLES } from "./ids.ts";
import { noticeText, type Counters, type Member, type NoticeType } from "./member.ts";
import { Message } from "./message.ts";
import { RENEW_MS, renewSessionId } from "./session-ids.ts";

/** A connection of this node. */
export interface Occupant {
  readonly entry: Member;
  notify(notice: Message): void;
  /** Somebody else came or went. */
  changed(): void;
  /** A message on a label, from somebody else. */
  relayed(label: string, bytes: Uint8Array, sender: string): void;
}

/** From node to node: plain JSON data. */
export type RoomEvent =
  | { readonly do: "created" | "updated" | "destroyed"; readonly member: Member }
  | {
      readonly do: "message";
      readonly from: Pick<Member, "connectionId" | "bundleId">;
      readonly label: string;
      readonly base64: string;
    };

export interface RoomHost extends Pick<SessionServices, "runtime" | "schedule" | "onError"> {
  readonly presence: PresenceStore;
  readonly records: Records;
  readonly channelId: string;
  /** To this channel's room on every node, this one included. */
  tellAll(event: RoomEvent): Promise<void>;
}

export class Room implements Scheduled {
  scheduledPlace = 0;
  readonly occupants = new Map<string, Occupant>();
  readonly #host: RoomHost;
  readonly #members = new Map<string, Member>();
  readonly #loaded: Promise<void>;
  /** Those that went while presence is being read. */
  #gone: Set<string> | undefined;

  constructor(host: RoomHost) {
    this.#host = host;
    this.#loaded = this.#reconcile();
    this.#loaded.catch(() => {});
    this.#tickLater();
  }

  get #place() {
    return { space: "sora", name: this.#host.channelId };
  }

  /** Resolves once every node was told, this one's occupants included. Throws HubError `unavailable`. */
  async enter(occupant: Occupant): Promise<void> {
    const { entry: member } = occupant;
    this.occupants.set(member.connectionId, occupant);
    const info = { json: jsonOf({ ...member }) };
    await this.#host.presence.put(this.#place, {
      ...{ connectionId: member.connectionId, userId: "", info },
    });
    await this.#loaded;
    await this.#host.tellAll({ do: "created", member });
  }

  /** After `enter`, whatever came of it. From the call on the occupant hears nothing. */
  async leave({ entry: member }: Occupant, entered: Promise<void>): Promise<void> {
    const { connectionId } = member;
    this.occupants.delete(connectionId);
    if (this.occupants.size === 0) this.#host.schedule.clear(this);
    await entered.catch(() => {});
    try {
      await this.#host.presence.remove(this.#place, connectionId);
    } finally {
      await this.#host.tellAll({ do: "destroyed", member });
    }
  }

  apply(event: RoomEvent): void {
    switch (event.do) {
      case "created":
        return this.#created(event.member);
      case "destroyed":
        return this.#destroyed(event.member);
      case "updated":
        return this.#notify("connection.updated", event.member);
      case "message":
        return this.#relay(event);
    }
  }

  /** Once for each member, by the first node that tells it. */
  #created(member: Member): void {
    const { connectionId, bundleId } = member;
    if (this.#members.has(connectionId)) return;
    const before = this.occupants.has(connectionId) ? [...this.#members.values()] : [];
    this.#members.set(connectionId, member);
    // Equal bundles do not see each other.
    const others = before.filter((other) => other.bundleId !== bundleId);
    this.occupants.get(connectionId)?.notify(this.#notice("connection.created", member, others));
    this.#notify("connection.created", member);
  }

  #destroyed(member: Member): void {
    this.#gone?.add(member.connectionId);
    if (this.#members.delete(member.connectionId)) this.#notify("connection.destroyed", member);
  }

  #notify(type: NoticeType, member: Member): void {
    let notice: Message | undefined;
    for (const occupant of this.#announced()) {
      const { connectionId, bundleId } = occupant.entry;
      if (connectionId === member.connectionId || bundleId === member.bundleId) continue;
      occupant.notify((notice ??= this.#notice(type, member)));
      if (type !== "connection.updated") occupant.changed();
    }
  }

  #relay({ from, label, base64 }: Extract<RoomEvent, { do: "message" }>): void {
    const bytes = Uint8Array.fromBase64(base64);
    for (const occupant of this.#announced()) {
      const { connectionId, bundleId } = occupant.entry;
      if (connectionId === from.connectionId || bundleId === from.bundleId) continue;
      occupant.relayed(label, bytes, from.connectionId);
    }
  }

  /** One in its handshake hears nothing. */
  #announced(): readonly Occupant[] {
    return [...this.occupants.values()].filter(({ entry }) =>
      this.#members.has(entry.connectionId),
    );
  }

  /** Of this node. */
  announced(): readonly Member[] {
    return this.#announced().map(({ entry }) => entry);
  }

  #notice(type: NoticeType, member: Member, others?: readonly Member[]): Message {
    const epochMs = this.#host.runtime.clock.epochMs();
    const counters = this.#counters();
    return new Message(noticeText(member, { type, epochMs, counters, others }));
  }

  #counters(): Counters {
    const counts = Object.fromEntries(ROLES.map((role) => [role, 0])) as Record<string, number>;
    for (const { role } of this.#members.values()) counts[role] = (counts[role] ?? 0) + 1;
    return { ...counts, connections: this.#members.size } as Counters;
  }

  due(): void {
    const { records, channelId, onError } = this.#host;
    const [first] = this.occupants.values();
    if (first === undefined) return;
    this.#tickLater();
    Promise.all([
      this.#reconcile(),
      renewSessionId(records, channelId, first.entry.sessionId),
    ]).catch((error: unknown) => onError(error, { connection: "", doing: "keeping a channel" }));
  }

  #tickLater(): void {
    const { schedule, runtime } = this.#host;
    schedule.set(this, runtime.clock.monotonicMs() + RENEW_MS);
  }

  /** Makes the members those of presence, save for changes that arrive meanwhile. */
  async #reconcile(): Promise<void> {
    if (this.#gone !== undefined) return;
    const before = new Map(this.#members);
    const gone = (this.#gone = new Set());
    let listed: readonly ClientInfo[];
    try {
      listed = await this.#host.presence.list(this.#place);
    } finally {
      this.#gone = undefined;
    }
    const present = listed.map(memberOf).filter(({ connectionId }) => !gone.has(connectionId));
    const ids = new Set(present.map(({ connectionId }) => connectionId));
    for (const member of before.values()) {
      if (!ids.has(member.connectionId)) this.#destroyed(member);
    }
    // An occupant of this node is created by its own `enter` alone, behind all who were there.
    for (const member of present) {
      if (!this.occupants.has(member.connectionId)) this.#created(member);
    }
  }
}

function memberOf({ info }: ClientInfo): Member {
  if (info === undefined || !("json" in info)) throw new Error("A member's presence is not JSON");
  return JSON.parse(info.json) as Member;
}

/** Native groups: how one encoded frame reaches the many sockets of a listener without JavaScript per socket. */
import type { Frame } from "./types.ts";

/**
 * One per listener and framing, since native topics do not cross listeners.
 * A group is named by the core: app, channel and encoder.
 */
export interface Fanout {
  /** Sends to every member of the group in call order with `GroupMember` and socket sends. `audience`: who that is. */
  publish(group: string, frame: Frame, exceptMember?: GroupMember, audience?: GroupAudience): void;
}

/** Whom a group's frames reach, as it is when somebody looks: those of other fan-outs as well. */
export interface GroupAudience {
  /** Members and more: an upper bound. */
  readonly size: number;
  members(): Iterable<GroupMember>;
  /** Of groups of one channel, which have no member in common. */
  readonly channel?: object;
  /** Several frames in one, where the format has that: what is published in one turn of the event loop may then go out together. */
  readonly join?: ((this: void, frames: readonly Frame[]) => Frame) | undefined;
}

/** A socket as a member of groups. */
export interface GroupMember {
  readonly fanout: Fanout;
  join(group: string): void;
  /**
   * Drops what waits of the group because the socket is held, so that nothing follows the answer; with `keepsHeld` that still
   * goes out in its place, since a subscription that moves to another member loses nothing.
   */
  leave(group: string, options?: { readonly keepsHeld?: boolean }): void;
  /** A frame to this socket alone that keeps its place among the group frames: it waits where they wait; one of `group` no longer than this is a member of it. */
  push(frame: Frame, group?: string): void;
  /**
   * From here on group frames wait in the socket's own queue, in order, while `send` still goes out;
   * `release` sends what waited and goes back to the native groups. Calls nest.
   */
  hold(): void;
  release(): void;
}

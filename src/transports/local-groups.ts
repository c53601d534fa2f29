/**
 * Groups of sockets that no native topic reaches: HTTP streams, polls, DataChannels. A frame is encoded once all the same; handing it
 * on costs JavaScript per member.
 */
import type { Fanout, GroupMember } from "../core/fanout.ts";
import type { Frame } from "../core/types.ts";

/** What the groups need of a socket. */
export interface LocalMember extends GroupMember {
  readonly bufferedBytes: number;
  deliver(group: string, frame: Frame): void;
  shutdown(): void;
}

export class LocalGroups implements Fanout {
  readonly #encode: ((message: Frame) => Frame) | undefined;
  readonly #groups = new Map<string, Set<LocalMember>>();
  readonly #sockets = new Set<LocalMember>();
  #published = 0;

  /** What is made of each message, once per publication; without it, a message is a frame. */
  constructor(encode?: (message: Frame) => Frame) {
    this.#encode = encode;
  }

  framed(message: Frame): Frame {
    return this.#encode === undefined ? message : this.#encode(message);
  }

  get size(): number {
    return this.#sockets.size;
  }

  get published(): number {
    return this.#published;
  }

  /** Bytes that peers have yet to take, over all sockets. */
  get unsentBytes(): number {
    let sum = 0;
    for (const { bufferedBytes } of this.#sockets) sum += bufferedBytes;
    return sum;
  }

  publish(group: string, message: Frame, exceptMember?: GroupMember): void {
    this.#published += 1;
    const members = this.#groups.get(group);
    if (members === undefined) return;
    const frame = this.framed(message);
    for (const member of members) {
      if (member !== exceptMember) member.deliver(group, frame);
    }
  }

  add(socket: LocalMember): void {
    this.#sockets.add(socket);
  }

  remove(socket: LocalMember): void {
    this.#sockets.delete(socket);
  }

  join(group: string, member: LocalMember): void {
    const members = this.#groups.get(group);
    if (members === undefined) this.#groups.set(group, new Set([member]));
    else members.add(member);
  }

  leave(group: string, member: LocalMember): void {
    const members = this.#groups.get(group);
    if (members?.delete(member) === true && members.size === 0) this.#groups.delete(group);
  }

  shutdown(): void {
    // Closing takes sockets out of the set.
    for (const socket of [...this.#sockets]) socket.shutdown();
  }
}

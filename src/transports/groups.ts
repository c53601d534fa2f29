/**
 * The groups of one listener: native topics for the many sockets that keep up, and JavaScript for the few that are
 * held or lag. Which of the two a socket is in is the socket's own affair (`websocket.ts`).
 */
import type { Fanout, GroupMember } from "../core/fanout.ts";
import type { Frame } from "../core/types.ts";

/**
 * Published bytes (code units of text) between two looks at what each socket has buffered. With sockets leaving their
 * topics above half of their bound, no socket can collect more than this and one frame unseen, which keeps the native
 * limit out of reach: above it publications would be dropped in silence.
 */
export const SWEEP_BYTES = 256 * 1024;

/** What the groups need of a socket. */
export interface NativeMember extends GroupMember {
  /** Its place in `Groups`, -1 when in none: lets it leave in constant time without a set's memory. */
  place: number;
  readonly bufferedBytes: number;
  /** Native publish to all members but this one, which need not be a member. */
  publishToOthers(group: string, frame: Frame): void;
  /** A frame of a group that this socket joined but is not in natively at the moment. */
  deliver(group: string, frame: Frame): void;
  /** Leaves the native topics when too much is buffered. */
  sweep(): void;
  /** Tells its session that the server stops, and closes. */
  shutdown(): void;
}

interface NativePublisher {
  publish(topic: string, data: Frame, compress?: boolean): number;
}

export class Groups implements Fanout {
  readonly #sockets: NativeMember[] = [];
  readonly #detached = new Map<string, Set<NativeMember>>();
  #publisher: NativePublisher | undefined;
  #unsweptBytes = 0;
  #published = 0;

  /** Without a listener's server nothing can have joined, so earlier publications reach nobody. */
  start(publisher: NativePublisher): void {
    this.#publisher = publisher;
  }

  get size(): number {
    return this.#sockets.length;
  }

  get published(): number {
    return this.#published;
  }

  /** Bytes that peers have yet to take, over all sockets. */
  get unsentBytes(): number {
    return this.#sockets.reduce((sum, { bufferedBytes }) => sum + bufferedBytes, 0);
  }

  publish(group: string, frame: Frame, exceptMember?: GroupMember): void {
    // Members of this fan-out are all this listener's sockets; one of another listener is in none of these groups.
    const except =
      exceptMember?.fanout === this ? (exceptMember as unknown as NativeMember) : undefined;
    // The status that publish returns is the worst subscriber's: nothing can be concluded from it.
    if (except === undefined) this.#publisher?.publish(group, frame, false);
    else except.publishToOthers(group, frame);
    this.#published += 1;
    if (this.#detached.size > 0) this.#deliver(group, frame, except);
    this.#unsweptBytes += frame.length;
    if (this.#unsweptBytes >= SWEEP_BYTES) this.#sweep();
  }

  publishNatively(group: string, frame: Frame): void {
    this.#publisher?.publish(group, frame, false);
  }

  add(socket: NativeMember): void {
    socket.place = this.#sockets.push(socket) - 1;
  }

  remove(socket: NativeMember): void {
    const last = this.#sockets.pop();
    if (last !== undefined && last !== socket) {
      this.#sockets[socket.place] = last;
      last.place = socket.place;
    }
    socket.place = -1;
  }

  /** From here on `deliver` brings the group's frames to this socket, until `attached`. */
  detached(group: string, socket: NativeMember): void {
    const members = this.#detached.get(group);
    if (members === undefined) this.#detached.set(group, new Set([socket]));
    else members.add(socket);
  }

  attached(group: string, socket: NativeMember): void {
    const members = this.#detached.get(group);
    if (members?.delete(socket) === true && members.size === 0) this.#detached.delete(group);
  }

  shutdown(): void {
    // Closing takes sockets out of the list.
    for (const socket of [...this.#sockets]) socket.shutdown();
  }

  #deliver(group: string, frame: Frame, except: NativeMember | undefined): void {
    const members = this.#detached.get(group);
    if (members === undefined) return;
    for (const member of members) {
      if (member !== except) member.deliver(group, frame);
    }
  }

  #sweep(): void {
    this.#unsweptBytes = 0;
    for (const socket of this.#sockets) socket.sweep();
  }
}

/**
 * The groups of one listener: native topics for the many sockets that keep up, and JavaScript for the few that are
 * held or lag. Which of the two a socket is in is the socket's own affair (`websocket.ts`).
 */
import type { Fanout, GroupAudience, GroupMember } from "../core/fanout.ts";
import type { Runtime } from "../core/runtime.ts";
import type { Frame } from "../core/types.ts";
import { Bursts, type Run } from "./bursts.ts";

/**
 * Published bytes (code units of text) between two looks at what sockets have buffered. With sockets leaving their
 * topics above half of their bound, no socket can collect more than this and one frame unseen, which keeps the native
 * limit out of reach: above it publications would be dropped in silence. Looked at are those that were published to.
 */
export const SWEEP_BYTES = 256 * 1024;

/** What the groups need of a socket. */
export interface NativeMember extends GroupMember {
  /** Its place in `Groups`, -1 when in none: lets it leave in constant time without a set's memory. */
  place: number;
  readonly bufferedBytes: number;
  /** Native publish to all members but this one, which need not be a member. */
  publishToOthers(topic: string, frame: Frame): void;
  /** A frame of a group that this socket joined but is not in natively at the moment. */
  deliver(topic: string, frame: Frame): void;
  /** Leaves the native topics when too much is buffered. To be called where it leaves a group as well, whose next sweep is without it. */
  sweep(): void;
  /** Tells its session that the server stops, and closes. */
  shutdown(): void;
}

interface NativePublisher {
  publish(topic: string, data: Frame, compress?: boolean): number;
}

/** What a transport wraps messages in. */
export interface Framing {
  /** Begins the names of its native topics: those of one server are shared by its framings. */
  readonly topicPrefix: string;
  /** Several in one. */
  readonly frame: (this: void, messages: readonly Frame[]) => Frame;
}

interface To {
  readonly except?: NativeMember | undefined;
  readonly audience?: GroupAudience | undefined;
}

export class Groups implements Fanout {
  readonly #framing: Framing | undefined;
  readonly #bursts: Bursts;
  readonly #sockets: NativeMember[] = [];
  readonly #detached = new Map<string, Set<NativeMember>>();
  #publisher: NativePublisher | undefined;
  #unsweptBytes = 0;
  /** Whom the unswept bytes went to; undefined: to nobody knows whom. */
  #unswept: Set<GroupAudience> | undefined = new Set();
  #published = 0;

  /** Without a framing, a message is a frame. */
  constructor(runtime: Pick<Runtime, "clock" | "timers">, framing?: Framing) {
    this.#framing = framing;
    this.#bursts = new Bursts(runtime, (runs) => this.#send(runs));
  }

  framed(message: Frame): Frame {
    return this.#framing === undefined ? message : this.#framing.frame([message]);
  }

  topicOf(group: string): string {
    return this.#framing === undefined ? group : this.#framing.topicPrefix + group;
  }

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

  publish(
    group: string,
    message: Frame,
    exceptMember?: GroupMember,
    audience?: GroupAudience,
  ): void {
    const topic = this.topicOf(group);
    // Members of this fan-out are all this listener's sockets; one of another listener is in none of these groups.
    const except =
      exceptMember?.fanout === this ? (exceptMember as unknown as NativeMember) : undefined;
    this.#published += 1;
    if (this.#detached.size > 0) this.#deliver(topic, message, except);
    if (except === undefined && audience !== undefined) {
      this.#bursts.add(topic, message, audience);
      return;
    }
    this.flush();
    this.#publish(topic, this.framed(message), { except, audience });
    this.#sweepIfDue();
  }

  /** What was published so far is on its way. To be called before a socket sends, joins, leaves, or closes: it would be behind that otherwise. */
  flush(): void {
    this.#bursts.end();
  }

  #send(runs: readonly Run[]): void {
    for (const { topic, audience, messages } of runs) {
      const join = this.#framing?.frame ?? (messages.length > 1 ? audience.join : undefined);
      const frames = join === undefined ? messages : [join(messages)];
      for (const frame of frames) this.#publish(topic, frame, { audience });
    }
    // Last, since a socket that leaves its topics then must have had all of them.
    this.#sweepIfDue();
  }

  publishNatively(topic: string, frame: Frame): void {
    this.#publisher?.publish(topic, frame, false);
  }

  #publish(topic: string, frame: Frame, { except, audience }: To): void {
    // The status that publish returns is the worst subscriber's: nothing can be concluded from it.
    if (except === undefined) this.publishNatively(topic, frame);
    else except.publishToOthers(topic, frame);
    this.#unsweptBytes += frame.length;
    if (audience === undefined) this.#unswept = undefined;
    else this.#unswept?.add(audience);
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

  /** From here on `deliver` brings the topic's frames to this socket, until `attached`. */
  detached(topic: string, socket: NativeMember): void {
    const members = this.#detached.get(topic);
    if (members === undefined) this.#detached.set(topic, new Set([socket]));
    else members.add(socket);
  }

  attached(topic: string, socket: NativeMember): void {
    const members = this.#detached.get(topic);
    if (members?.delete(socket) === true && members.size === 0) this.#detached.delete(topic);
  }

  shutdown(): void {
    // Closing takes sockets out of the list.
    for (const socket of [...this.#sockets]) socket.shutdown();
  }

  #deliver(topic: string, message: Frame, except: NativeMember | undefined): void {
    const members = this.#detached.get(topic);
    if (members === undefined) return;
    const frame = this.framed(message);
    for (const member of members) {
      if (member !== except) member.deliver(topic, frame);
    }
  }

  #sweepIfDue(): void {
    if (this.#unsweptBytes >= SWEEP_BYTES) this.#sweep();
  }

  #sweep(): void {
    const audiences = this.#unswept;
    this.#unsweptBytes = 0;
    this.#unswept = new Set();
    let members = 0;
    for (const { size } of audiences ?? []) members += size;
    if (audiences === undefined || members >= this.#sockets.length) {
      for (const socket of this.#sockets) socket.sweep();
      return;
    }
    for (const audience of audiences) {
      for (const member of audience.members()) {
        if (member.fanout === this) (member as unknown as NativeMember).sweep();
      }
    }
  }
}

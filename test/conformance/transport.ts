/** What every transport promises to sessions and groups: `Socket`, `Session`, `GroupMember`, `Fanout`. */
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import type { Fanout, GroupMember } from "../../src/core/fanout.ts";
import type { Frame } from "../../src/core/types.ts";
import type { Session, Socket } from "../../src/transports/socket.ts";
import type { TestRuntime } from "../support/runtime.ts";

/** The other end of a connection. Messages are a session's frames, whatever the transport wraps them in. */
export interface TransportClient {
  send(message: Frame): void;
  /** The next message; rejects once the connection ended without one. */
  next(): Promise<Frame>;
  /** How the server ended the connection, behind all messages before it; those not taken by `next` are in `messages`. */
  ended(): Promise<{
    readonly code: number;
    readonly reason: string;
    readonly messages: readonly Frame[];
  }>;
  close(code: number, reason: string): void;
  /** Stops reading until `resume`. */
  pause(): void;
  resume(): void;
}

export interface TransportUnderTest {
  readonly fanout: Fanout;
  readonly runtime: TestRuntime;
  /** What was reported as a bug so far. */
  readonly bugs: readonly unknown[];
  connect(
    open: (socket: Socket) => Session,
    limits: { readonly messageBytesMax: number; readonly bufferedBytesMax: number },
  ): Promise<TransportClient>;
  close(): Promise<void>;
}

export interface TransportTraits {
  /** Whether frames of bytes are carried; text always is. */
  readonly binary: boolean;
}

const LIMITS = { messageBytesMax: 65_536, bufferedBytesMax: 1024 * 1024 };

/** Records what the transport calls. Without a behaviour of its own it answers nothing. */
export class RecordingSession implements Session {
  readonly received: Frame[] = [];
  readonly ends: { readonly code: number; readonly reason: string }[] = [];
  slowCalls = 0;
  failedCalls = 0;
  onReceive: (frame: Frame) => void | Promise<void> = () => {};
  readonly socket: Socket;
  readonly ended: Promise<void>;
  #end: () => void = () => {};

  constructor(socket: Socket) {
    this.socket = socket;
    this.ended = new Promise((resolve) => {
      this.#end = resolve;
    });
  }

  get member(): GroupMember {
    const { member } = this.socket;
    if (member === undefined) throw new Error("The transport has no groups");
    return member;
  }

  receive(frame: Frame): void | Promise<void> {
    this.received.push(frame);
    return this.onReceive(frame);
  }

  slow(): void {
    this.slowCalls += 1;
    this.socket.close(3008, "slow");
  }

  failed(): void {
    this.failedCalls += 1;
    this.socket.close(3004, "internal");
  }

  closed(code: number, reason: string): void {
    this.ends.push({ code, reason });
    this.#end();
  }
}

export function testTransport(
  name: string,
  create: () => Promise<TransportUnderTest>,
  traits: TransportTraits,
): void {
  describe(`transport ${name}`, () => {
    let transport: TransportUnderTest;
    beforeEach(async () => {
      transport = await create();
    });
    afterEach(() => transport.close());

    async function connect(limits: Partial<typeof LIMITS> = {}) {
      let session: RecordingSession | undefined;
      const client = await transport.connect(
        (socket) => {
          session = new RecordingSession(socket);
          return session;
        },
        { ...LIMITS, ...limits },
      );
      if (session === undefined) throw new Error("The session was not opened");
      return { client, session, socket: session.socket, member: session.member };
    }

    const publish = (group: string, frame: Frame, except?: GroupMember) =>
      transport.fanout.publish(group, frame, except);

    /** Takes messages up to and with `last`. */
    async function until(client: TransportClient, last: string): Promise<Frame[]> {
      const messages: Frame[] = [];
      while (messages.at(-1) !== last) messages.push(await client.next());
      return messages;
    }

    describe("order", () => {
      test("own frames and group frames arrive in call order, also across await", async () => {
        const { client, socket, member } = await connect();
        member.join("g");
        const expected: Frame[] = [];
        for (let turn = 0; turn < 20; turn += 1) {
          for (let call = 0; call < 10; call += 1) {
            const text = `${turn}/${call}`;
            const frame = traits.binary && call % 4 === 3 ? new TextEncoder().encode(text) : text;
            expected.push(frame);
            if (call % 2 === 0) socket.send(frame);
            else publish("g", frame);
          }
          await transport.runtime.settle();
        }
        for (const frame of expected) expect(await client.next()).toEqual(frame);
      });

      test("a join takes effect between two publications of one turn", async () => {
        const { client, socket, member } = await connect();
        publish("g", "before");
        member.join("g");
        socket.send("reply");
        publish("g", "after");
        expect(await until(client, "after")).toEqual(["reply", "after"]);
      });

      test("leaving, sending and joining again in one turn loses and doubles nothing", async () => {
        const { client, socket, member } = await connect();
        member.join("g");
        publish("g", "1");
        member.leave("g");
        socket.send("2");
        publish("g", "not a member");
        member.join("g");
        publish("g", "3");
        expect(await until(client, "3")).toEqual(["1", "2", "3"]);
      });

      test("joining twice delivers once, leaving twice is nothing", async () => {
        const { client, socket, member } = await connect();
        member.join("g");
        member.join("g");
        publish("g", "1");
        member.leave("g");
        member.leave("g");
        publish("g", "gone");
        socket.send("end");
        expect(await until(client, "end")).toEqual(["1", "end"]);
      });
    });

    describe("exceptMember", () => {
      test("leaves out that member only", async () => {
        const [one, two] = [await connect(), await connect()];
        one.member.join("g");
        two.member.join("g");
        publish("g", "not one", one.member);
        publish("g", "end");
        expect(await until(one.client, "end")).toEqual(["end"]);
        expect(await until(two.client, "end")).toEqual(["not one", "end"]);
      });

      test("leaves out a held member, and reaches the other held ones", async () => {
        const [one, two, three] = [await connect(), await connect(), await connect()];
        for (const { member } of [one, two, three]) member.join("g");
        one.member.hold();
        two.member.hold();
        publish("g", "not one", one.member);
        publish("g", "not three", three.member);
        publish("g", "end");
        one.member.release();
        two.member.release();
        expect(await until(one.client, "end")).toEqual(["not three", "end"]);
        expect(await until(two.client, "end")).toEqual(["not one", "not three", "end"]);
        expect(await until(three.client, "end")).toEqual(["not one", "end"]);
      });

      test("of no member, a closed one or another fan-out's reaches all", async () => {
        const [one, stranger, gone] = [await connect(), await connect(), await connect()];
        one.member.join("g");
        gone.member.join("g");
        gone.socket.close(3000, "");
        const other = await create();
        let elsewhere: GroupMember | undefined;
        await other.connect((socket) => {
          elsewhere = socket.member;
          return new RecordingSession(socket);
        }, LIMITS);
        publish("g", "1", stranger.member);
        publish("g", "2", gone.member);
        publish("g", "3", elsewhere);
        expect(await until(one.client, "3")).toEqual(["1", "2", "3"]);
        await other.close();
      });

      test("groups of one fan-out do not reach another's members", async () => {
        const { client, member } = await connect();
        const other = await create();
        member.join("g");
        other.fanout.publish("g", "elsewhere");
        publish("g", "here");
        expect(await client.next()).toBe("here");
        await other.close();
      });
    });

    describe("hold", () => {
      test("group frames wait, own frames do not, release sends what waited in order", async () => {
        const { client, socket, member } = await connect();
        member.join("a");
        member.join("b");
        publish("a", "1");
        member.hold();
        publish("a", "3");
        publish("b", "4");
        socket.send("2");
        publish("a", "5");
        member.release();
        publish("a", "6");
        socket.send("7");
        expect(await until(client, "7")).toEqual(["1", "2", "3", "4", "5", "6", "7"]);
      });

      test("holds nest", async () => {
        const { client, socket, member } = await connect();
        member.join("g");
        member.hold();
        member.hold();
        publish("g", "held");
        member.release();
        publish("g", "still held");
        socket.send("passes");
        member.release();
        publish("g", "free");
        expect(await until(client, "free")).toEqual(["passes", "held", "still held", "free"]);
      });

      test("join and leave count while held", async () => {
        const { client, member } = await connect();
        member.join("left");
        member.join("rejoined");
        member.hold();
        member.join("joined");
        publish("joined", "1");
        member.leave("left");
        publish("left", "gone");
        member.leave("rejoined");
        publish("rejoined", "gone too");
        member.join("rejoined");
        publish("rejoined", "2");
        member.release();
        publish("left", "gone");
        publish("joined", "3");
        publish("rejoined", "4");
        expect(await until(client, "4")).toEqual(["1", "2", "3", "4"]);
      });

      test("nothing of a group follows the answer to leaving it", async () => {
        const { client, socket, member } = await connect();
        member.join("g");
        member.join("kept");
        member.hold();
        publish("g", "waits");
        publish("kept", "1");
        member.leave("g");
        socket.send("left");
        member.release();
        publish("kept", "2");
        expect(await until(client, "2")).toEqual(["left", "1", "2"]);
      });

      test("others are not held up", async () => {
        const [held, free] = [await connect(), await connect()];
        held.member.join("g");
        free.member.join("g");
        held.member.hold();
        publish("g", "1");
        expect(await free.client.next()).toBe("1");
        held.member.release();
        expect(await held.client.next()).toBe("1");
      });

      test("a close drops what is held, a later release is nothing", async () => {
        const { client, socket, member } = await connect();
        member.join("g");
        member.hold();
        publish("g", "held");
        socket.close(3001, "bye");
        member.release();
        expect(await client.ended()).toEqual({ code: 3001, reason: "bye", messages: [] });
      });

      test("release without hold is an error", async () => {
        const { member } = await connect();
        expect(() => member.release()).toThrow("release() without hold()");
      });
    });

    describe("receive", () => {
      test("frames are handled one by one and in order while promises are pending", async () => {
        const { client, session } = await connect();
        let busy = 0;
        const trace: string[] = [];
        const done = Promise.withResolvers<void>();
        session.onReceive = async (frame) => {
          busy += 1;
          trace.push(`${String(frame)} ${busy}`);
          await transport.runtime.settle();
          busy -= 1;
          if (frame === "9") done.resolve();
        };
        for (let at = 0; at < 10; at += 1) client.send(String(at));
        await done.promise;
        expect(trace).toEqual(Array.from({ length: 10 }, (_, at) => `${at} 1`));
      });

      test("answers and promises may alternate", async () => {
        const { client, session, socket } = await connect();
        session.onReceive = (frame) => {
          if (Number(frame) % 3 === 0) {
            return transport.runtime.settle().then(() => socket.send(frame));
          }
          socket.send(frame);
          return undefined;
        };
        for (let at = 0; at < 20; at += 1) client.send(String(at));
        const answers = await until(client, "19");
        expect(answers).toEqual(Array.from({ length: 20 }, (_, at) => String(at)));
      });

      test("text arrives as text, empty frames too", async () => {
        const { client, session, socket } = await connect();
        session.onReceive = (frame) => socket.send(frame);
        for (const text of ["", "ü€🙂", "\u0000"]) {
          client.send(text);
          expect(await client.next()).toBe(text);
        }
      });

      test.if(traits.binary)("bytes arrive as bytes of their own", async () => {
        const { client, session, socket } = await connect();
        session.onReceive = () => socket.send("ok");
        client.send(new Uint8Array([1, 2, 3]));
        client.send(new Uint8Array([4, 5, 6]));
        await client.next();
        await client.next();
        expect(session.received).toEqual([new Uint8Array([1, 2, 3]), new Uint8Array([4, 5, 6])]);
        expect(session.received[0]!.constructor).toBe(Uint8Array);
      });

      test("a message may have messageBytesMax bytes of UTF-8, and not one more", async () => {
        const { client, session, socket } = await connect({ messageBytesMax: 100 });
        session.onReceive = () => socket.send("ok");
        for (const fits of ["x".repeat(100), "é".repeat(50), "€".repeat(33)]) {
          client.send(fits);
          expect(await client.next()).toBe("ok");
        }
        client.send("€".repeat(33) + "éé");
        expect(await client.ended()).toMatchObject({ code: 1009, messages: [] });
        expect(session.received).toHaveLength(3);
        expect(session.ends).toMatchObject([{ code: 1009 }]);
      });

      test("lastReceivedMs is the time of the last message", async () => {
        const { client, session, socket } = await connect();
        session.onReceive = () => socket.send("ok");
        const openedMs = socket.lastReceivedMs;
        expect(openedMs).toBe(transport.runtime.clock.monotonicMs());
        await transport.runtime.advance(1500);
        socket.send("outbound");
        await client.next();
        expect(socket.lastReceivedMs).toBe(openedMs);
        client.send("x");
        await client.next();
        expect(socket.lastReceivedMs).toBe(openedMs + 1500);
      });
    });

    describe("bugs", () => {
      for (const [how, fail] of [
        ["throws", () => raise()],
        ["rejects", () => Promise.reject(new Error("bug"))],
      ] as const) {
        test(`a session that ${how} is reported, and ends its own socket as failed`, async () => {
          const [bad, good] = [await connect(), await connect()];
          bad.session.onReceive = fail;
          good.session.onReceive = (frame) => good.socket.send(frame);
          bad.client.send("1");
          bad.client.send("2");
          expect(await bad.client.ended()).toMatchObject({ code: 3004, reason: "internal" });
          expect(bad.session.failedCalls).toBe(1);
          expect(bad.session.received).toEqual(["1"]);
          expect(transport.bugs).toEqual([new Error("bug")]);
          good.client.send("alive");
          expect(await good.client.next()).toBe("alive");
        });
      }

      test("a session that does not close when it failed is closed", async () => {
        const { client, session } = await connect();
        session.onReceive = () => raise();
        session.failed = () => raise();
        client.send("1");
        expect((await client.ended()).code).toBe(1011);
        expect(transport.bugs).toHaveLength(2);
      });

      test("a session that cannot be opened costs its own socket", async () => {
        const client = await transport.connect(() => raise(), LIMITS);
        expect((await client.ended()).code).toBe(1011);
        expect(transport.bugs).toHaveLength(1);
      });
    });

    describe("close", () => {
      test("what was sent goes out first, then code and reason; closed() runs once", async () => {
        const { client, session, socket, member } = await connect();
        member.join("g");
        socket.send("1");
        publish("g", "2");
        socket.close(3501, "done");
        socket.close(3502, "again");
        socket.send("late");
        publish("g", "late");
        member.join("h");
        member.hold();
        member.leave("g");
        socket.ping();
        publish("h", "late");
        expect(socket.bufferedBytes).toBe(0);
        const end = await client.ended();
        expect(end).toEqual({ code: 3501, reason: "done", messages: ["1", "2"] });
        expect(session.ends).toEqual([{ code: 3501, reason: "done" }]);
      });

      test("a client's code and reason reach closed()", async () => {
        const { client, session } = await connect();
        client.close(3999, "bye");
        await session.ended;
        expect(session.ends).toEqual([{ code: 3999, reason: "bye" }]);
      });

      test("a reason is cut at 123 bytes, between characters", async () => {
        const { client, socket } = await connect();
        socket.close(3000, `${"x".repeat(120)}€€`);
        expect((await client.ended()).reason).toBe(`${"x".repeat(120)}€`);
        const two = await connect();
        two.socket.close(3000, `${"x".repeat(121)}€`);
        expect((await two.client.ended()).reason).toBe("x".repeat(121));
      });

      test("a session may close its socket while it is opened", async () => {
        let session: RecordingSession | undefined;
        const client = await transport.connect((socket) => {
          socket.send("sorry");
          socket.close(3000, "early");
          session = new RecordingSession(socket);
          return session;
        }, LIMITS);
        const end = { code: 3000, reason: "early" };
        expect(await client.ended()).toEqual({ ...end, messages: ["sorry"] });
        await session!.ended;
        expect(session!.ends).toEqual([end]);
      });

      test("closed() is the last call: frames that waited are dropped", async () => {
        const { client, session, socket } = await connect();
        const first = Promise.withResolvers<void>();
        const arrived = Promise.withResolvers<void>();
        session.onReceive = (frame) => {
          arrived.resolve();
          return frame === "1" ? first.promise : undefined;
        };
        client.send("1");
        client.send("2");
        await arrived.promise;
        socket.close(3000, "");
        first.resolve();
        await client.ended();
        await transport.runtime.settle();
        expect(session.received).toEqual(["1"]);
        expect(session.ends).toHaveLength(1);
      });
    });

    describe("slow readers", () => {
      const numbered = (at: number) => `${at}`.padEnd(8_000);

      /** Pushes to a client that does not read, until it is behind but not yet too slow; the number of frames. */
      async function fallBehind(socket: Socket, push: (frame: string) => void): Promise<number> {
        let count = 0;
        while (socket.bufferedBytes < LIMITS.bufferedBytesMax * 0.7) {
          for (let burst = 0; burst < 10; burst += 1, count += 1) push(numbered(count));
          await transport.runtime.settle();
        }
        return count;
      }

      test("bufferedBytesMax may wait for a held socket, and not one byte more", async () => {
        const limits = { bufferedBytesMax: 1000 };
        const [edge, beyond] = [await connect(limits), await connect(limits)];
        edge.member.join("edge");
        edge.member.hold();
        for (let at = 0; at < 10; at += 1) publish("edge", `${at}`.padEnd(100));
        expect(edge.socket.bufferedBytes).toBe(1000);
        edge.member.release();
        expect(await until(edge.client, "9".padEnd(100))).toHaveLength(10);
        expect(edge.session.slowCalls).toBe(0);

        beyond.member.join("beyond");
        beyond.member.hold();
        for (let at = 0; at < 9; at += 1) publish("beyond", `${at}`.padEnd(100));
        publish("beyond", "9".padEnd(101));
        publish("beyond", "fits, but is behind a gap");
        expect(beyond.session.slowCalls).toBe(0);
        const end = await beyond.client.ended();
        expect(end).toEqual({ code: 3008, reason: "slow", messages: [] });
        expect(beyond.session.slowCalls).toBe(1);
      });

      test("one frame larger than the bound is delivered when nothing else waits", async () => {
        const { client, session, member } = await connect({ bufferedBytesMax: 1000 });
        member.join("g");
        member.hold();
        publish("g", "x".repeat(5000));
        member.release();
        expect(await client.next()).toBe("x".repeat(5000));
        expect(session.slowCalls).toBe(0);
      });

      test("a session may say last words when it is too slow, behind what waits and before the close", async () => {
        const { client, session, socket, member } = await connect({ bufferedBytesMax: 100 });
        session.slow = () => {
          socket.send("last words");
          socket.close(3008, "slow");
        };
        socket.send("before");
        member.join("g");
        member.hold();
        for (let at = 0; at < 11; at += 1) publish("g", "0123456789");
        socket.send("behind the gap");
        const { code, messages } = await client.ended();
        expect(code).toBe(3008);
        expect(messages).toEqual(["before", "last words"]);
      });

      test("a session that does not close when it is too slow is closed", async () => {
        const { client, session, member } = await connect({ bufferedBytesMax: 10 });
        session.slow = () => {};
        member.join("g");
        member.hold();
        for (let at = 0; at < 3; at += 1) publish("g", "0123456789");
        expect((await client.ended()).code).toBe(1013);
      });

      for (const how of ["publish", "send", "publish and send"] as const) {
        test(`${how}: a stalled reader gets a prefix without a gap, then the session's code`, async () => {
          const [stalled, healthy] = [await connect(), await connect()];
          for (const { member } of [stalled, healthy]) member.join("g");
          stalled.client.pause();
          let count = 0;
          // The kernel takes about 4 MB before anything is seen to wait.
          while (stalled.session.ends.length === 0 && count < 4_000) {
            for (let burst = 0; burst < 20; burst += 1, count += 1) {
              const frame = numbered(count);
              const bySend = how === "send" || (how !== "publish" && count % 2 === 1);
              if (!bySend) {
                publish("g", frame);
              } else {
                stalled.socket.send(frame);
                healthy.socket.send(frame);
              }
            }
            // Bursts with all that waits for the healthy one taken between them.
            await until(healthy.client, numbered(count - 1));
          }
          expect(stalled.session.slowCalls).toBe(1);
          expect(stalled.session.ends).toEqual([{ code: 3008, reason: "slow" }]);
          expect(healthy.session.slowCalls).toBe(0);
          stalled.client.resume();
          const { code, messages } = await stalled.client.ended();
          expect(code).toBe(3008);
          expect(messages.length).toBeGreaterThan(100);
          expect(messages.length).toBeLessThan(count);
          expect(messages.map(Number)).toEqual(messages.map((_, at) => at));
          publish("g", "end");
          expect(await healthy.client.next()).toBe("end");
        });
      }

      test("a reader that was behind and caught up has every frame once, in order", async () => {
        const { client, session, socket, member } = await connect();
        member.join("g");
        client.pause();
        let count = await fallBehind(socket, (frame) => publish("g", frame));
        const push = () => {
          publish("g", numbered(count));
          count += 1;
        };
        member.leave("g");
        publish("g", "not a member");
        member.join("g");
        member.hold();
        push();
        member.release();
        client.resume();
        const seen: number[] = [];
        while (seen.length < count) seen.push(Number(await client.next()));
        for (let more = 0; more < 10; more += 1) push();
        while (seen.length < count) seen.push(Number(await client.next()));
        expect(seen).toEqual(Array.from({ length: count }, (_, at) => at));
        expect(session.slowCalls).toBe(0);
        expect(socket.bufferedBytes).toBe(0);
      });

      test("what waits for a reader that is behind goes out before a close", async () => {
        const { client, socket, member } = await connect();
        member.join("g");
        client.pause();
        const count = await fallBehind(socket, (frame) => publish("g", frame));
        socket.send("last words");
        socket.close(3000, "enough");
        client.resume();
        const { code, messages } = await client.ended();
        expect(code).toBe(3000);
        expect(messages.slice(0, -1).map(Number)).toEqual(
          Array.from({ length: count }, (_, at) => at),
        );
        expect(messages.at(-1)).toBe("last words");
      });

      test("a hold outlasts a reader's being behind", async () => {
        const { client, socket, member } = await connect();
        member.join("g");
        member.hold();
        client.pause();
        const count = await fallBehind(socket, (frame) => socket.send(frame));
        publish("g", "held 1");
        client.resume();
        for (let at = 0; at < count; at += 1) expect(Number(await client.next())).toBe(at);
        while (socket.bufferedBytes > "held 1".length) await transport.runtime.settle();
        publish("g", "held 2");
        socket.send("reply");
        member.release();
        publish("g", "free");
        expect(await until(client, "free")).toEqual(["reply", "held 1", "held 2", "free"]);
      });
    });
  });
}

function raise(): never {
  throw new Error("bug");
}

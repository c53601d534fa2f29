/** A reader that falls behind gets all of it or a prefix and an end, and holds up nobody. */
import { describe, expect, test } from "bun:test";
import type { Socket } from "../../../src/transports/socket.ts";
import { LIMITS, type TransportSuite, type TransportTraits } from "./under-test.ts";

export function testSlowReaders(suite: TransportSuite, traits: TransportTraits): void {
  const { connect, publish, until } = suite;
  const { framingBytes = 0 } = traits;

  describe("slow readers", () => {
    const numbered = (at: number) => `${at}`.padEnd(8_000);

    /** Pushes to a client that does not read, until it is behind but not yet too slow; the number of frames. */
    async function fallBehind(socket: Socket, push: (frame: string) => void): Promise<number> {
      let count = 0;
      while (socket.bufferedBytes < LIMITS.bufferedBytesMax * 0.7) {
        for (let burst = 0; burst < 10; burst += 1, count += 1) push(numbered(count));
        await suite.transport.runtime.settle();
      }
      return count;
    }

    test("bufferedBytesMax may wait for a held socket, and not one byte more", async () => {
      const limits = { bufferedBytesMax: 1000 };
      const [edge, beyond] = [await connect(limits), await connect(limits)];
      edge.member.join("edge");
      edge.member.hold();
      for (let at = 0; at < 10; at += 1) publish("edge", `${at}`.padEnd(100 - framingBytes));
      expect(edge.socket.bufferedBytes).toBe(1000);
      edge.member.release();
      expect(await until(edge.client, "9".padEnd(100 - framingBytes))).toHaveLength(10);
      expect(edge.session.slowCalls).toBe(0);

      beyond.member.join("beyond");
      beyond.member.hold();
      for (let at = 0; at < 9; at += 1) publish("beyond", `${at}`.padEnd(100 - framingBytes));
      publish("beyond", "9".padEnd(101 - framingBytes));
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
      while (socket.bufferedBytes > "held 1".length + framingBytes)
        await suite.transport.runtime.settle();
      publish("g", "held 2");
      socket.send("reply");
      member.release();
      publish("g", "free");
      expect(await until(client, "free")).toEqual(["reply", "held 1", "held 2", "free"]);
    });
  });
}

/** What a session is given: one frame at a time and in order, of the size allowed, as text or bytes. */
import { describe, expect, test } from "bun:test";
import type { TransportSuite, TransportTraits } from "./under-test.ts";

export function testReceive(suite: TransportSuite, traits: TransportTraits): void {
  const { connect, until } = suite;

  describe("receive", () => {
    test("frames are handled one by one and in order while promises are pending", async () => {
      const { client, session } = await connect();
      let busy = 0;
      const trace: string[] = [];
      const done = Promise.withResolvers<void>();
      session.onReceive = async (frame) => {
        busy += 1;
        trace.push(`${String(frame)} ${busy}`);
        await suite.transport.runtime.settle();
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
          return suite.transport.runtime.settle().then(() => socket.send(frame));
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
      expect(openedMs).toBe(suite.transport.runtime.clock.monotonicMs());
      await suite.transport.runtime.advance(1500);
      socket.send("outbound");
      await client.next();
      expect(socket.lastReceivedMs).toBe(openedMs);
      client.send("x");
      await client.next();
      expect(socket.lastReceivedMs).toBe(openedMs + 1500);
    });
  });
}

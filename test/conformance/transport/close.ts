/** The end of a connection, from either side: what still goes out, and what the session is told. */
import { describe, expect, test } from "bun:test";
import { RecordingSession } from "./recording-session.ts";
import { LIMITS, type TransportSuite, type TransportTraits } from "./under-test.ts";

export function testClose(suite: TransportSuite, traits: TransportTraits): void {
  const { connect, publish } = suite;

  describe("close", () => {
    test("what was sent goes out first, then code and reason; closed() runs once", async () => {
      const { client, session, socket, member } = await connect();
      member.join("g");
      expect(socket.send("1")).toBe(true);
      publish("g", "2");
      socket.close(3501, "done");
      socket.close(3502, "again");
      expect(socket.send("late")).toBe(false);
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

    test.if(traits.clientCodes !== false)("a client's code and reason reach closed()", async () => {
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
      const client = await suite.transport.connect((socket) => {
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
      await suite.transport.runtime.settle();
      expect(session.received).toEqual(["1"]);
      expect(session.ends).toHaveLength(1);
    });
  });
}

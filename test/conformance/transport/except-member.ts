/** A publication leaves out the one member it is told to, and stays within its own fan-out. */
import { describe, expect, test } from "bun:test";
import type { GroupMember } from "../../../src/core/fanout.ts";
import { RecordingSession } from "./recording-session.ts";
import { LIMITS, type TransportSuite } from "./under-test.ts";

export function testExceptMember(suite: TransportSuite): void {
  const { connect, create, publish, until } = suite;

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
}

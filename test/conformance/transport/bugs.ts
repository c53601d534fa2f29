/** A session's bug is reported and costs its own socket only. */
import { describe, expect, test } from "bun:test";
import { LIMITS, type TransportSuite } from "./under-test.ts";

export function testBugs(suite: TransportSuite): void {
  const { connect } = suite;

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
        expect(suite.transport.bugs).toEqual([new Error("bug")]);
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
      expect(suite.transport.bugs).toHaveLength(2);
    });

    test("a session that cannot be opened costs its own socket", async () => {
      const client = await suite.transport.connect(() => raise(), LIMITS);
      expect((await client.ended()).code).toBe(1011);
      expect(suite.transport.bugs).toHaveLength(1);
    });
  });
}

function raise(): never {
  throw new Error("bug");
}

/** What a session sends and what its groups publish arrives in the order of the calls. */
import { describe, expect, test } from "bun:test";
import type { Frame } from "../../../src/core/types.ts";
import type { TransportSuite, TransportTraits } from "./under-test.ts";

export function testOrder(suite: TransportSuite, traits: TransportTraits): void {
  const { connect, publish, until } = suite;

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
        await suite.transport.runtime.settle();
      }
      for (const frame of expected) expect(await client.next()).toEqual(frame);
    });

    test("what is sent together keeps its place, up to a close in its midst", async () => {
      const { client, socket, member } = await connect();
      member.join("g");
      publish("g", "1");
      socket.together(() => {
        socket.send("2");
        publish("g", "3");
        socket.send("4");
      });
      publish("g", "5");
      expect(await until(client, "5")).toEqual(["1", "2", "3", "4", "5"]);
      socket.together(() => {
        socket.send("6");
        socket.close(3501, "done");
        socket.send("late");
      });
      socket.together(() => socket.send("late"));
      expect((await client.ended()).messages).toEqual(["6"]);
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
}

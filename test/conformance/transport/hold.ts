/** Held, a socket's group frames wait while its own frames pass; nothing is lost, doubled or reordered. */
import { describe, expect, test } from "bun:test";
import type { TransportSuite } from "./under-test.ts";

export function testHold(suite: TransportSuite): void {
  const { connect, publish, until } = suite;

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

    test("a push keeps its place among the group frames", async () => {
      const { client, socket, member } = await connect();
      member.join("g");
      member.push("1");
      member.hold();
      publish("g", "3");
      member.push("4");
      publish("g", "5");
      socket.send("2");
      member.release();
      member.push("6");
      expect(await until(client, "6")).toEqual(["1", "2", "3", "4", "5", "6"]);
    });

    test("a push that waits stays when its socket leaves a group", async () => {
      const { client, socket, member } = await connect();
      member.join("g");
      member.hold();
      publish("g", "gone");
      member.push("2");
      member.leave("g");
      socket.send("1");
      member.release();
      expect(await until(client, "2")).toEqual(["1", "2"]);
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

    test("left for another socket, a group's held frames still go out in their place", async () => {
      const { client, socket, member } = await connect();
      member.join("g");
      member.join("kept");
      member.hold();
      publish("g", "2");
      publish("kept", "3");
      member.leave("g", { keepsHeld: true });
      publish("g", "elsewhere");
      socket.send("1");
      member.release();
      publish("kept", "4");
      expect(await until(client, "4")).toEqual(["1", "2", "3", "4"]);
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
}

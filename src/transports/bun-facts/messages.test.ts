/**
 * What the transports and listeners rely on, or work around, in Bun itself: how a WebSocket's messages are handed
 * over. A red test here after a new pin says which of our decisions to look at again; it need not be a bug in Bun.
 */
import { describe, expect, test } from "bun:test";
import { turn, useBunServers } from "../../../test/support/bun-servers.ts";

const { serve } = useBunServers();

describe("messages", () => {
  test("async message handlers of one socket run concurrently", async () => {
    const trace: string[] = [];
    const first = Promise.withResolvers<void>();
    const { connect } = serve({
      async message(ws, message) {
        trace.push(`start ${String(message)}`);
        if (message === "1") await first.promise;
        trace.push(`end ${String(message)}`);
        ws.send("done");
      },
    });
    const { client } = await connect();
    client.send("1");
    client.send("2");
    await client.next();
    expect(trace).toEqual(["start 1", "start 2", "end 2"]);
    first.resolve();
    await client.next();
  });

  test("binary messages are copies of their own", async () => {
    const messages: Uint8Array[] = [];
    const done = Promise.withResolvers<void>();
    const { connect } = serve({
      message(_ws, message) {
        if (typeof message !== "string") messages.push(message);
        if (messages.length === 3) done.resolve();
      },
    });
    const { client } = await connect();
    for (const byte of [1, 2, 3]) client.send(new Uint8Array([byte]));
    await done.promise;
    expect(messages.map((message) => message[0])).toEqual([1, 2, 3]);
    expect(new Set(messages.map(({ buffer }) => buffer)).size).toBe(3);
  });

  test("pause() leaves the peer unread, resume() loses nothing", async () => {
    let received = 0;
    const all = Promise.withResolvers<void>();
    const { connect } = serve({
      message() {
        received += 1;
        if (received === 300) all.resolve();
      },
    });
    const { client, ws } = await connect();
    ws.pause();
    for (let at = 0; at < 300; at += 1) client.send("x".repeat(50_000));
    for (let at = 0; at < 50; at += 1) await turn();
    expect(received).toBe(0);
    ws.resume();
    await all.promise;
  });

  test("maxPayloadLength is one listener's, not one socket's", async () => {
    const [small, large] = [serve({ maxPayloadLength: 10 }), serve({ maxPayloadLength: 1000 })];
    for (const [{ connect }, closes] of [
      [small, true],
      [large, false],
    ] as const) {
      const { client, ws } = await connect();
      client.send("x".repeat(11));
      client.sendFrame(9, Buffer.alloc(0));
      expect((await client.next()).opcode).toBe(closes ? 8 : 10);
      expect(ws.readyState).toBe(closes ? 3 : 1);
    }
  });
});

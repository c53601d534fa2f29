/**
 * What the transports and listeners rely on, or work around, in Bun itself: how a WebSocket or its server ends. A
 * red test here after a new pin says which of our decisions to look at again; it need not be a bug in Bun.
 */
import { describe, expect, test } from "bun:test";
import { texts, turn, useBunServers } from "../../../test/support/bun-servers.ts";

const { serve } = useBunServers();

describe("closing", () => {
  test("the close handler runs synchronously inside ws.close()", async () => {
    const trace: string[] = [];
    const { connect } = serve({
      close: (ws, code, reason) => void trace.push(`closed ${code} ${reason} ${ws.readyState}`),
    });
    const { client, ws } = await connect();
    trace.push("before");
    ws.close(4001, "bye");
    trace.push("after");
    expect(trace).toEqual(["before", "closed 4001 bye 3", "after"]);
    expect(ws.send("late")).toBe(0);
    expect(await client.rest()).toMatchObject([{ opcode: 8, code: 4001, text: "bye" }]);
  });

  test("ws.close() sends what is buffered, then the close frame, though getBufferedAmount() is 0 at once", async () => {
    const { connect } = serve();
    const { client, ws } = await connect();
    client.pause();
    let sent = 0;
    while (ws.getBufferedAmount() < 500_000) {
      ws.send("x".repeat(100_000));
      sent += 1;
    }
    ws.close(4001, "behind it");
    expect(ws.getBufferedAmount()).toBe(0);
    client.resume();
    const frames = await client.rest();
    expect(frames).toHaveLength(sent + 1);
    expect(frames.at(-1)).toMatchObject({ opcode: 8, code: 4001 });
  });

  test("ws.close() truncates the reason to 123 bytes at a character boundary", async () => {
    const { connect } = serve();
    const { client, ws } = await connect();
    ws.close(4001, "é".repeat(100));
    expect((await client.next()).text).toBe("é".repeat(61));
  });

  // The one test here that takes seconds of real time: the bound on closing is Bun's own, and no clock of ours moves it.
  test("ws.close() cuts a peer that does not close within about 4 s, and terminate() does not hasten it", async () => {
    const { connect } = serve();
    const { client, ws } = await connect();
    const startedMs = performance.now();
    ws.close(4001, "");
    ws.terminate();
    expect((await client.next()).code).toBe(4001);
    // Bytes to a socket that no longer exists are answered with a reset; until then they re-arm nothing.
    const writing = setInterval(() => client.write(new Uint8Array([0x89, 0x80, 0, 0, 0, 0])), 50);
    await client.gone;
    clearInterval(writing);
    const elapsedMs = performance.now() - startedMs;
    expect(elapsedMs).toBeGreaterThan(1_000);
    expect(elapsedMs).toBeLessThan(8_500);
  }, 10_000);

  for (const [what, code, opcode, payload] of [
    ["a message above maxPayloadLength", 1009, 2, Buffer.alloc(11)],
    ["invalid UTF-8", 1007, 1, Buffer.from([0xc3, 0x28])],
    ["an unknown opcode", 1002, 3, Buffer.alloc(0)],
  ] as const) {
    test(`${what} is ${code} on the wire and 1006 in the close handler`, async () => {
      const closed = Promise.withResolvers<{ code: number; reason: string }>();
      const { connect } = serve({
        maxPayloadLength: 10,
        close: (_ws, reported, reason) => closed.resolve({ code: reported, reason }),
      });
      const { client } = await connect();
      client.sendFrame(opcode, payload);
      const end = await client.next();
      expect(end.code).toBe(code);
      expect(await closed.promise).toEqual({ code: 1006, reason: end.text });
      expect(end.text).toStartWith(code === 1009 ? "Received too big message" : "Received invalid");
    });
  }

  test("server.stop() waits while a socket is open, server.stop(true) does not", async () => {
    const { server, connect } = serve();
    const { client } = await connect();
    let stopped = false;
    const waits = server.stop().then(() => {
      stopped = true;
    });
    for (let at = 0; at < 100; at += 1) await turn();
    expect(stopped).toBe(false);
    await server.stop(true);
    await waits;
    expect((await client.next()).code).toBe(1001);
  });

  test("server.stop() closes the port at once, and what is open goes on: sockets and topics", async () => {
    const { server, url, connect } = serve({
      message: (ws, message) => void ws.send(message),
    });
    const { client, ws } = await connect();
    ws.subscribe("topic");
    void server.stop();
    expect(await fetch(url).catch(({ code }: { code: unknown }) => code)).toBe("ECONNREFUSED");
    server.publish("topic", "published");
    client.send("sent");
    expect(await texts(client, 2)).toEqual(["published", "sent"]);
  });
});

/**
 * What the transports and listeners rely on, or work around, in Bun itself: what waits for a peer that reads slowly,
 * and what is dropped. A red test here after a new pin says which of our decisions to look at again; it need not be
 * a bug in Bun.
 */
import { describe, expect, test } from "bun:test";
import { type Bare, turn, useBunServers } from "../../../test/support/bun-servers.ts";

const { serve } = useBunServers();

describe("backpressure", () => {
  const limit = 256 * 1024;

  async function fillKernel(ws: Bare, frame: string): Promise<number> {
    let sent = 0;
    while (ws.getBufferedAmount() === 0) {
      ws.send(frame);
      sent += 1;
      if (sent % 50 === 0) await turn();
    }
    return sent;
  }

  test("publish above backpressureLimit drops silently for that subscriber and leaves the socket open", async () => {
    const { server, connect } = serve({ backpressureLimit: limit });
    const { client, ws } = await connect();
    ws.subscribe("t");
    client.pause();
    let sent = await fillKernel(ws, "x".padEnd(20_000));
    const statuses = new Set<number>();
    for (let at = 0; at < 100; at += 1) statuses.add(server.publish("t", "y".padEnd(20_000)));
    sent += 100;
    expect(ws.readyState).toBe(1);
    expect(statuses).toContain(0);
    client.resume();
    while (ws.getBufferedAmount() > 0) await turn();
    server.publish("t", "end");
    let received = 0;
    while ((await client.next()).text !== "end") received += 1;
    expect(received).toBeLessThan(sent);
  });

  test("what publish returns is the worst subscriber's status, not whether it was delivered", async () => {
    const { server, connect } = serve({ backpressureLimit: limit });
    const [stalled, healthy] = [await connect(), await connect()];
    stalled.ws.subscribe("t");
    healthy.ws.subscribe("t");
    stalled.client.pause();
    await fillKernel(stalled.ws, "x".padEnd(20_000));
    while (stalled.ws.getBufferedAmount() <= limit) stalled.ws.send("x".padEnd(20_000));
    expect(server.publish("t", "delivered all the same".padEnd(20_000))).toBe(0);
    expect((await healthy.client.next()).text).toStartWith("delivered");
    expect(server.publish("nobody", "x")).toBe(0);
  });

  test("closeOnBackpressureLimit ends the socket with 1006", async () => {
    const closed = Promise.withResolvers<number>();
    const { server, connect } = serve({
      backpressureLimit: limit,
      closeOnBackpressureLimit: true,
      close: (_ws, code) => closed.resolve(code),
    });
    const { client, ws } = await connect();
    ws.subscribe("t");
    client.pause();
    await fillKernel(ws, "x".padEnd(20_000));
    for (let at = 0; at < 100; at += 1) server.publish("t", "y".padEnd(20_000));
    expect(await closed.promise).toBe(1006);
  });

  test("one frame above the limit is taken when nothing waits; an empty one returns 0 without being dropped", async () => {
    const { connect } = serve({ backpressureLimit: limit });
    const { client, ws } = await connect();
    client.pause();
    expect(ws.send("x".repeat(8 * 1024 * 1024))).toBe(-1);
    expect(ws.getBufferedAmount()).toBeGreaterThan(limit);
    expect(ws.send("dropped")).toBe(0);
    client.resume();
    expect((await client.next()).payload.length).toBe(8 * 1024 * 1024);
    while (ws.getBufferedAmount() > 0) await turn();
    expect(ws.send("")).toBe(0);
    expect((await client.next()).text).toBe("");
  });

  test("drain follows as long as anything was buffered", async () => {
    const drained = Promise.withResolvers<void>();
    const { connect } = serve({
      drain: (ws) => {
        if (ws.getBufferedAmount() === 0) drained.resolve();
      },
    });
    const { client, ws } = await connect();
    client.pause();
    await fillKernel(ws, "x".repeat(100_000));
    ws.send("x".repeat(100_000));
    client.resume();
    await drained.promise;
  });
});

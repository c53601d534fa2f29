/**
 * What the transports and listeners rely on, or work around, in Bun itself: how a request becomes a WebSocket. A red
 * test here after a new pin says which of our decisions to look at again; it need not be a bug in Bun.
 */
import { describe, expect, test } from "bun:test";
import { useBunServers } from "../../../test/support/bun-servers.ts";
import { handshake } from "../../../test/support/raw-websocket.ts";

const { cleanups, serve } = useBunServers();

describe("upgrade", () => {
  const offer = { headers: { "sec-websocket-protocol": "first, second" } };

  test("the first offered subprotocol is echoed", async () => {
    const { headers } = await handshake(serve().url, offer);
    expect(headers.get("sec-websocket-protocol")).toBe("first");
  });

  test(`{"Sec-WebSocket-Protocol": ""} leaves the header out`, async () => {
    const { headers } = await handshake(serve({}, { "Sec-WebSocket-Protocol": "" }).url, offer);
    expect(headers.has("sec-websocket-protocol")).toBe(false);
  });

  test("the open handler runs inside upgrade()", async () => {
    const trace: string[] = [];
    const server = Bun.serve({
      hostname: "127.0.0.1",
      port: 0,
      fetch(request, self) {
        trace.push("before");
        self.upgrade(request);
        trace.push("after");
      },
      websocket: { message() {}, open: () => void trace.push("open") },
    });
    cleanups.push(() => server.stop(true));
    await handshake(server.url.href);
    expect(trace).toEqual(["before", "open", "after"]);
  });
});

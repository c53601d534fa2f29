/** Many WebSocket handshakes at once: how many are served in a turn of the event loop, and whose. */
import { connect as connectTcp } from "node:net";
import { describe, expect, test } from "bun:test";
import { until } from "../../test/support/hostile.ts";
import { handshake } from "../../test/support/raw-websocket.ts";
import { createHeldRuntime } from "../../test/support/held-runtime.ts";
import { useWebSocketListener } from "../../test/support/websocket-listener.ts";
import { HANDSHAKES_PER_TURN } from "./handshakes.ts";
import { createMounts, type FindMount } from "./mounts.ts";

/** Tells when so many requests have come that it was asked whose they are. */
function counting(apps: readonly string[]) {
  const places = apps.map((app) => ({ app, hosts: [], pathPrefix: app === "" ? "" : `/${app}` }));
  const find = createMounts(places, { app: undefined, exclusive: true });
  let asked = 0;
  let wake = (): void => {};
  const findMount: FindMount = (host, path) => {
    asked += 1;
    wake();
    return find(host, path);
  };
  const come = async (count: number): Promise<void> => {
    while (asked < count) await new Promise<void>((resolve) => (wake = resolve));
  };
  return { findMount, come };
}

const times = <Value>(count: number, make: () => Value): Value[] =>
  Array.from({ length: count }, make);

describe("handshakes that come at once", () => {
  const { listen, connect } = useWebSocketListener();

  /** A listener whose first turn is full. */
  async function listenFull(apps: readonly string[] = [""]) {
    const { runtime, release } = createHeldRuntime();
    const { findMount, come } = counting(apps);
    const { listener, sessions, bugs } = listen({ runtime, findMount });
    const urlOf = (app = apps[0] ?? "") => `${listener.url}${app === "" ? "" : `/${app}`}/socket`;
    await Promise.all(times(HANDSHAKES_PER_TURN, () => connect(urlOf())));
    expect(sessions).toHaveLength(HANDSHAKES_PER_TURN);
    const waiting = (count: number) => come(HANDSHAKES_PER_TURN + count);
    return { listener, sessions, bugs, release, urlOf, waiting };
  }

  test("as many as a turn takes are served, one more in the next one", async () => {
    const { sessions, release, urlOf, waiting } = await listenFull();
    const late = connect(urlOf());
    await waiting(1);
    expect(sessions).toHaveLength(HANDSHAKES_PER_TURN);
    release();
    expect((await late).response.status).toBe(101);
    expect(sessions).toHaveLength(HANDSHAKES_PER_TURN + 1);
  });

  test("an app's few are not behind another's many", async () => {
    const { sessions, release, urlOf, waiting } = await listenFull(["one", "other"]);
    let opened = 0;
    const many = times(3 * HANDSHAKES_PER_TURN, async () => {
      await connect(urlOf("one"));
      opened += 1;
    });
    await waiting(many.length);
    const few = connect(urlOf("other"));
    await waiting(many.length + 1);
    release();
    expect((await few).response.status).toBe(101);
    expect(opened).toBeLessThan(many.length);
    await Promise.all(many);
    expect(sessions).toHaveLength(4 * HANDSHAKES_PER_TURN + 1);
  });

  test("those that wait when the server begins to stop are told so", async () => {
    const { listener, release, urlOf, waiting } = await listenFull();
    const late = handshake(urlOf());
    await waiting(1);
    listener.stopAccepting();
    release();
    expect(await late).toMatchObject({ status: 503, body: "shutting down" });
  });

  test("one whose client has gone by then leaves nothing behind", async () => {
    const { listener, bugs, release, urlOf, waiting } = await listenFull();
    const { hostname, port, pathname } = new URL(urlOf());
    const gone = connectTcp(Number(port), hostname);
    gone.write(
      `GET ${pathname} HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n` +
        "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg==\r\n\r\n",
    );
    await waiting(1);
    gone.destroy();
    const next = connect(urlOf());
    await waiting(2);
    release();
    await next;
    await until(() => listener.sockets() === HANDSHAKES_PER_TURN + 1);
    expect(bugs).toEqual([]);
  });
});

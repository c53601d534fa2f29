/** Frames that many WebSockets send at once: how many are handled in a turn of the event loop, whose, and in which order. */
import { describe, expect, test } from "bun:test";
import { createHeldRuntime } from "../../test/support/held-runtime.ts";
import { until } from "../../test/support/hostile.ts";
import { useWebSocketListener } from "../../test/support/websocket-listener.ts";
import { FRAMES_PER_TURN } from "./frame-turns.ts";
import { createMounts } from "./mounts.ts";

const CLIENTS = 4;
const EACH = FRAMES_PER_TURN / CLIENTS;

const numbers = (count: number, first = 0): string[] =>
  Array.from({ length: count }, (_, index) => `${first + index}`);

describe("frames that come at once", () => {
  const { listen, connect } = useWebSocketListener();

  test("as many as a turn takes are handled, one more in the next one, each socket's in order", async () => {
    const { runtime, release } = createHeldRuntime();
    const { listener, url, sessions } = listen({ runtime });
    for (let client = 0; client < CLIENTS; client++) {
      const socket = await connect(url);
      for (const number of numbers(EACH)) socket.send(number);
    }
    await until(() => listener.stats().received === FRAMES_PER_TURN);
    const late = await connect(url);
    for (const number of numbers(EACH)) late.send(number);
    await until(() => listener.stats().received === FRAMES_PER_TURN + EACH);
    const handled = () => sessions.map(({ received }) => received);
    const whole = Array<string[]>(CLIENTS).fill(numbers(EACH));
    expect(handled()).toEqual([...whole, []]);
    release();
    await until(() => sessions[CLIENTS]?.received.length === EACH);
    expect(handled()).toEqual([...whole, numbers(EACH)]);
  });

  test("an app's few are not behind another's many", async () => {
    const { runtime, release } = createHeldRuntime();
    const apps = ["one", "other"].map((app) => ({ app, hosts: [], pathPrefix: `/${app}` }));
    const findMount = createMounts(apps, { app: undefined, exclusive: true });
    const { listener, sessions } = listen({ runtime, findMount });
    const order: string[] = [];
    const open = async (app: string) => {
      const socket = await connect(`${listener.url}/${app}/socket`);
      const session = sessions.at(-1);
      if (session !== undefined) session.onReceive = () => void order.push(app);
      return socket;
    };
    const many: Awaited<ReturnType<typeof open>>[] = [];
    while (many.length < 4 * CLIENTS) many.push(await open("one"));
    const few = await open("other");
    for (const socket of many) for (const number of numbers(EACH)) socket.send(number);
    await until(() => listener.stats().received === many.length * EACH);
    few.send("0");
    await until(() => listener.stats().received === many.length * EACH + 1);
    expect(order).toEqual(Array<string>(FRAMES_PER_TURN).fill("one"));
    release();
    await until(() => order.includes("other"));
    expect(order.length).toBeLessThan(3 * FRAMES_PER_TURN);
    await until(() => order.length === many.length * EACH + 1);
  });

  test("a socket that closes while its frames wait leaves them unhandled", async () => {
    const { runtime, release } = createHeldRuntime();
    const { listener, url, sessions, bugs } = listen({ runtime });
    const busy = await connect(url);
    for (const number of numbers(FRAMES_PER_TURN)) busy.send(number);
    await until(() => listener.stats().received === FRAMES_PER_TURN);
    const gone = await connect(url);
    gone.send("0");
    await until(() => listener.stats().received === FRAMES_PER_TURN + 1);
    gone.destroy();
    await sessions[1]?.ended;
    release();
    await runtime.settle();
    expect(sessions[1]?.received).toEqual([]);
    expect(bugs).toEqual([]);
  });
});

import { expect, test } from "bun:test";
import type { Ports } from "../workers/ports.ts";
import { startRestartable, type Running } from "./restartable.ts";

/** Servers whose starts and stops are told, and end when they are let. */
function setUp(failAt = Infinity) {
  const told: string[] = [];
  const failures: unknown[] = [];
  let restart = (): void => {};
  let count = 0;
  let stopped = Promise.withResolvers<void>();
  const start = async (again: () => void, ports?: Ports): Promise<Running> => {
    const number = (count += 1);
    restart = again;
    told.push(`start ${number} ${JSON.stringify(ports ?? {})}`);
    if (number === failAt) throw new Error("The port is taken");
    return {
      endpoints: () => [],
      clientsUrl: "http://127.0.0.1:8001",
      apiUrl: "http://127.0.0.1",
      async stop() {
        told.push(`stop ${number}`);
        await stopped.promise;
      },
    };
  };
  return {
    ...{ told, failures },
    running: startRestartable({ start, onFailure: (error) => failures.push(error) }),
    restart: () => restart(),
    letStop: async () => {
      stopped.resolve();
      await new Promise<void>((resolve) => setImmediate(resolve));
      stopped = Promise.withResolvers();
    },
  };
}

const AGAIN = '{"clients":8001,"api":80}';

test("a restart puts a server on the same ports in the place of the one before, once", async () => {
  const { running, told, restart, letStop } = setUp();
  await running;
  restart();
  restart();
  expect(told).toEqual(["start 1 {}", "stop 1"]);
  await letStop();
  expect(told).toEqual(["start 1 {}", "stop 1", `start 2 ${AGAIN}`]);
  restart();
  await letStop();
  expect(told.slice(3)).toEqual(["stop 2", `start 3 ${AGAIN}`]);
});

test("a stop waits for a restart, which then starts nothing", async () => {
  const { running, told, restart, letStop } = setUp();
  const server = await running;
  restart();
  const stopping = server.stop();
  await letStop();
  await letStop();
  await stopping;
  restart();
  expect(told).toEqual(["start 1 {}", "stop 1", "stop 1"]);
});

test("what cannot start again is told", async () => {
  const { running, failures, restart, letStop } = setUp(2);
  await running;
  restart();
  await letStop();
  expect(failures).toEqual([new Error("The port is taken")]);
});

import { describe, expect, test } from "bun:test";
import { createServer } from "node:http";
import { useWebSocketListener } from "../../test/support/websocket-listener.ts";
import { systemRuntime } from "../system-runtime.ts";
import { textAnswer } from "./api-call.ts";
import { createApiListener } from "./create-api-listener.ts";
import { listenAlone, listenFailure } from "./listen-failure.ts";
import { createMounts } from "./mounts.ts";

/** A label of 64 characters fits into no question to a resolver, so that none answers it with an address. */
const NO_NAME = `${"x".repeat(64)}.invalid`;
const SENTENCE = `"${NO_NAME}" cannot be resolved to an address of this machine`;

describe("a name that does not resolve", () => {
  const { listen } = useWebSocketListener();

  test.each(["EINVAL", "EADDRINUSE", "ENOTFOUND", "EAI_AGAIN", undefined])(
    "is told as such when the runtime says %s",
    (code) => {
      const error = Object.assign(new Error("Failed"), code === undefined ? {} : { code });
      expect(listenFailure(error, { hostname: NO_NAME, port: 8000 }).message).toBe(SENTENCE);
    },
  );

  test("is told by both listeners", async () => {
    expect(() => listen({ hostname: NO_NAME })).toThrow(SENTENCE);
    const options = {
      ...{ hostname: NO_NAME, port: 0, shared: false, keepAliveTimeoutMs: 1_000 },
      ...{ answer: () => textAnswer(200, ""), timers: systemRuntime.timers, onBug: () => {} },
      findMount: createMounts([], { app: undefined, exclusive: false }),
    };
    for (const readsGetBodies of [true, false]) {
      await expect(createApiListener({ ...options, readsGetBodies })).rejects.toThrow(SENTENCE);
    }
  });

  test("is told where a resolver is asked for it as well", async () => {
    const address = { hostname: "no-such-host.invalid", port: 0 };
    // There are resolvers that answer with an address for every name.
    await expect(listenAlone(createServer(), address)).rejects.toThrow(
      /^"no-such-host.invalid" (cannot be resolved to|is not) an address of this machine$/,
    );
  });
});

test("other reasons stay what they are for a name that does", () => {
  const of = (code: string) => {
    const address = { hostname: "localhost", port: 80 };
    const { word, message } = listenFailure(Object.assign(new Error("Failed"), { code }), address);
    return `${message} [${word}]`;
  };
  expect(of("EADDRINUSE")).toBe("Port 80 on localhost is already in use [port_in_use]");
  expect(of("EACCES")).toBe("Listening on port 80 of localhost is not permitted [listen_failed]");
  expect(of("EMFILE")).toBe('Cannot listen on port 80 of "localhost": Failed [listen_failed]');
});

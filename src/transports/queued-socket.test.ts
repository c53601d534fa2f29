/** Queued sockets: what every transport promises, and what waits between two outlets. */
import { describe, expect, test } from "bun:test";
import { testTransport } from "../../test/conformance/transport/index.ts";
import { RecordingSession } from "../../test/conformance/transport/recording-session.ts";
import { LIMITS } from "../../test/conformance/transport/under-test.ts";
import { createPipeTransport, Pipe } from "../../test/support/pipe-transport.ts";
import { CLOSE_MS } from "./queued-socket.ts";

testTransport("queued", async () => createPipeTransport(), { binary: true });

/** A socket without an outlet. */
function opened(limits: Partial<typeof LIMITS> = {}) {
  const transport = createPipeTransport();
  let session: RecordingSession | undefined;
  const open = (socket: ConstructorParameters<typeof RecordingSession>[0]) =>
    (session = new RecordingSession(socket));
  const socket = transport.open({ open, ...LIMITS, ...limits });
  socket.open();
  if (session === undefined) throw new Error("The session was not opened");
  return { ...transport, socket, session };
}

describe("between two outlets", () => {
  test("frames and publications wait, and the next outlet takes them first", () => {
    const { socket, fanout } = opened();
    socket.join("g");
    const first = new Pipe(socket);
    socket.attach(first);
    socket.send("1");
    socket.detach(first);
    expect(socket.send("2")).toBe(true);
    fanout.publish("g", "3");
    expect(socket.bufferedBytes).toBe(2);
    const second = new Pipe(socket);
    socket.attach(second);
    socket.send("4");
    expect(first.messages).toEqual(["1"]);
    expect(second.messages).toEqual(["2", "3", "4"]);
    expect(socket.bufferedBytes).toBe(0);
  });

  test("an outlet that was replaced takes nothing along when it goes", () => {
    const { socket } = opened();
    const [first, second] = [new Pipe(socket), new Pipe(socket)];
    socket.attach(first);
    socket.attach(second);
    socket.detach(first);
    socket.send("1");
    expect(second.messages).toEqual(["1"]);
  });

  test("bufferedBytesMax may wait, and not one byte more", async () => {
    const { socket, session, runtime } = opened({ bufferedBytesMax: 10 });
    expect(socket.send("0123456789")).toBe(true);
    await runtime.settle();
    expect(session.slowCalls).toBe(0);
    expect(socket.send("x")).toBe(false);
    await runtime.settle();
    expect(session.slowCalls).toBe(1);
    expect(session.ends).toEqual([{ code: 3008, reason: "slow" }]);
    expect(socket.send("late")).toBe(false);
  });

  test("a close waits for an outlet, for CLOSE_MS", async () => {
    const { socket, session, runtime } = opened();
    socket.send("last words");
    socket.close(3000, "bye");
    expect(session.ends).toEqual([{ code: 3000, reason: "bye" }]);
    const pipe = new Pipe(socket);
    socket.attach(pipe);
    expect(pipe.messages).toEqual(["last words"]);
    expect(await pipe.end.promise).toEqual({ code: 3000, reason: "bye" });
    await runtime.advance(CLOSE_MS);
  });

  test("a peer that takes neither frames nor the close is cut after CLOSE_MS", async () => {
    const { socket, session, runtime } = opened();
    const pipe = new Pipe(socket);
    pipe.reading = false;
    socket.attach(pipe);
    while (socket.bufferedBytes < 100_000) socket.send("x".repeat(1_000));
    socket.close(3000, "bye");
    await runtime.advance(CLOSE_MS - 1);
    pipe.reading = true;
    expect(pipe.messages).toEqual([]);
    pipe.reading = false;
    await runtime.advance(1);
    expect(await pipe.end.promise).toEqual({ code: 1006, reason: "" });
    expect(session.ends).toHaveLength(1);
  });
});

test("terminate() drops what waits and ends the session", async () => {
  const { socket, session } = opened();
  const pipe = new Pipe(socket);
  pipe.reading = false;
  socket.attach(pipe);
  socket.send("lost");
  socket.terminate();
  expect(await pipe.end.promise).toEqual({ code: 1006, reason: "" });
  expect(pipe.messages).toEqual([]);
  expect(session.ends).toEqual([{ code: 1006, reason: "" }]);
});

test("a push keeps its place among publications that are held", () => {
  const { socket, fanout } = opened();
  const pipe = new Pipe(socket);
  socket.attach(pipe);
  socket.join("g");
  socket.hold();
  fanout.publish("g", "2");
  socket.push("3");
  fanout.publish("g", "4");
  socket.send("1");
  socket.release();
  socket.push("5");
  expect(pipe.messages).toEqual(["1", "2", "3", "4", "5"]);
});

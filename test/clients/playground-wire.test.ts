/** What stands between the playground's clients and their sockets (`web/playground/wire.ts`). */
import { expect, test } from "bun:test";
import { HELD_MAX, Wire } from "../../web/playground/wire.ts";

/** A socket that is watched, with a client that listens behind it. */
function setUp() {
  const told: string[] = [];
  let held = 0;
  let stoppable = true;
  const wire = new Wire({
    onFrame: ({ direction, label = "", data }) => told.push(`${direction} ${label}${String(data)}`),
    onHeld: (count) => (held = count),
    onStoppable: (is) => (stoppable = is),
    onEnd: ({ code }) => told.push(`end ${code}`),
  });
  function watch(label = "", read?: (reading: boolean) => void) {
    const socket = new EventTarget();
    const heard: string[] = [];
    let closes = 0;
    wire.watch(socket, { close: () => (closes += 1), label, read });
    socket.addEventListener("message", (event) => heard.push((event as MessageEvent<string>).data));
    socket.addEventListener("close", (event) => heard.push(`${(event as CloseEvent).code}`));
    return {
      ...{ socket, heard },
      closes: () => closes,
      arrive: (data: string) => socket.dispatchEvent(new MessageEvent("message", { data })),
      end: (code: number) => socket.dispatchEvent(new CloseEvent("close", { code })),
    };
  }
  return { wire, watch, told, held: () => held, stoppable: () => stoppable };
}

test("frames are told and go to the client, which is told of its end", () => {
  const { wire, watch, told } = setUp();
  const { arrive, end, heard } = watch("push ");
  wire.sent("a");
  arrive("b");
  end(1000);
  expect(told).toEqual(["out a", "in push b", "end 1000"]);
  expect(heard).toEqual(["b", "1000"]);
});

test("what is kept back comes in its order, the end behind it", () => {
  const { wire, watch, told, held } = setUp();
  const [one, other] = [watch("1:"), watch("2:")];
  wire.hold();
  one.arrive("a");
  other.arrive("b");
  one.arrive("c");
  one.end(1001);
  expect([told, one.heard, held()]).toEqual([[], [], 4]);
  wire.release();
  expect(told).toEqual(["in 1:a", "in 2:b", "in 1:c", "end 1001"]);
  expect([one.heard, other.heard, held()]).toEqual([["a", "c", "1001"], ["b"], 0]);
  other.arrive("d");
  expect(other.heard).toEqual(["b", "d"]);
});

test("what can stop reading is told to, also when it opens later, and nothing of it is kept back", () => {
  const { wire, watch, told, held, stoppable } = setUp();
  const reads: (readonly [string, boolean])[] = [];
  const one = watch("1:", (reading) => reads.push(["1", reading]));
  wire.hold();
  watch("2:", (reading) => reads.push(["2", reading]));
  expect([reads, stoppable()]).toEqual([
    [
      ["1", false],
      ["2", false],
    ],
    true,
  ]);
  one.arrive("a");
  expect([told, one.heard, held()]).toEqual([["in 1:a"], ["a"], 0]);
  wire.release();
  expect(reads.slice(2)).toEqual([
    ["1", true],
    ["2", true],
  ]);
  const other = watch("3:");
  expect(stoppable()).toBe(false);
  other.end(1000);
  expect(stoppable()).toBe(true);
});

test("a cut ends what is open, and nothing comes of it any more", () => {
  const { wire, watch, told, held } = setUp();
  const { arrive, end, heard, closes } = watch();
  wire.hold();
  arrive("lost");
  wire.cut();
  expect([wire.isCut, closes(), held()]).toEqual([true, 1, 0]);
  wire.release();
  arrive("late");
  end(1005);
  expect([heard, told]).toEqual([["1006"], ["end 1006"]]);
  wire.mend();
  expect(wire.isCut).toBe(false);
});

test("an end that the client itself brings about is not told", () => {
  const { wire, watch, told } = setUp();
  const { socket, end, heard } = watch();
  wire.left(socket);
  end(1000);
  expect([heard, told]).toEqual([["1000"], []]);
});

test("no more is kept back than may be: beyond it the connection breaks", () => {
  const { wire, watch, held } = setUp();
  const { arrive, heard } = watch();
  wire.hold();
  for (let count = 0; count < HELD_MAX; count++) arrive("x");
  expect([held(), heard]).toEqual([HELD_MAX, []]);
  arrive("x");
  expect([held(), heard, wire.isCut]).toEqual([0, ["1006"], false]);
});

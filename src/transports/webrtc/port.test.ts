/** The port that peers share, by a library that a test plays: ports that are taken, candidates that do not come, and its loss. */
import { expect, test } from "bun:test";
import { webrtc } from "../../config/webrtc.ts";
import { createTestRuntime } from "../../../test/support/runtime.ts";
import type { Library } from "./library.ts";
import { openPort } from "./port.ts";

type Listener = (state: string) => void;

/** A library whose first peers find their port taken. */
function createLibrary({ taken = 0, gathers = true } = {}) {
  const made: { readonly config: Readonly<Record<string, unknown>>; change: Listener }[] = [];
  const closed: number[] = [];
  function createPeer(config: Readonly<Record<string, unknown>>) {
    const index = made.length;
    let gathered: Listener = () => {};
    const peer = { config, change: (_state: string) => {} };
    made.push(peer);
    return {
      onStateChange: (listener: Listener) => (peer.change = listener),
      onGatheringStateChange: (listener: Listener) => (gathered = listener),
      createDataChannel() {
        if (index < taken) throw new Error("bind");
        if (gathers) queueMicrotask(() => gathered("complete"));
      },
      localDescription: () => ({ sdp: "m=application 4000 UDP/DTLS/SCTP webrtc-datachannel\r\n" }),
      close() {
        closed.push(index);
        peer.change("closed");
      },
    };
  }
  return { library: { createPeer } as never as Library, made, closed };
}

function open(library: Library, settings: Parameters<typeof webrtc.parse>[0] = {}) {
  const runtime = createTestRuntime();
  const lost: string[] = [];
  const { timers } = runtime;
  const onLost = () => void lost.push("lost");
  const opening = openPort({ library, settings: webrtc.parse(settings), timers, onLost });
  return { opening, lost, runtime };
}

test("a port that was free a moment ago is tried five times, another one each time", async () => {
  const { library, made, closed } = createLibrary({ taken: 4 });
  const port = await open(library).opening;
  expect(made).toHaveLength(5);
  expect(closed).toEqual([0, 1, 2, 3]);
  for (const { config } of made) expect(config["portRangeBegin"]).toBe(config["portRangeEnd"]);
  port.createPeer();
  expect(made.at(-1)?.config).toMatchObject({ portRangeBegin: 4000, portRangeEnd: 4000 });
  await expect(open(createLibrary({ taken: 5 }).library).opening).rejects.toThrow("bind");
});

test("a range is the library's to look through, once", async () => {
  const { library, made } = createLibrary({ taken: 1 });
  const range = { port_min: 4000, port_max: 4010 };
  await expect(open(library, range).opening).rejects.toThrow("bind");
  expect(made.map(({ config }) => [config["portRangeBegin"], config["portRangeEnd"]])).toEqual([
    [4000, 4010],
  ]);
});

test("candidates that do not come are waited for 3 s", async () => {
  const { library } = createLibrary({ gathers: false });
  const { opening, runtime } = open(library, { port_min: 4000, port_max: 4000 });
  let opened = false;
  void opening.then(() => (opened = true));
  await runtime.advance(2999);
  expect(opened).toBe(false);
  await runtime.advance(1);
  await opening;
  expect(runtime.pendingTimers).toBe(0);
});

test("its loss is told of; closing waits for the library", async () => {
  const { library, made, closed } = createLibrary();
  const { opening, lost } = open(library);
  const port = await opening;
  made[0]?.change("connecting");
  expect(lost).toEqual([]);
  made[0]?.change("failed");
  expect(lost).toEqual(["lost"]);
  await port.close();
  expect(closed).toEqual([0]);
});

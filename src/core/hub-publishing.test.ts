/** What a publication comes to, at the connections of one node. */
import { describe, expect, test } from "bun:test";
import type { ChannelOptions } from "./namespaces.ts";
import type { Payload } from "./types.ts";
import { namespaces, Recorder, RecordingFanout } from "../../test/support/recorder.ts";
import type { Encoder } from "./hub.ts";
import { channel, embeddedHub, json, KEPT, pushes, subscribeTo } from "../../test/support/hub.ts";

describe("publish()", () => {
  test("reaches members of groups and subscribers without one, once each", async () => {
    await using server = await embeddedHub();
    const fanout = new RecordingFanout();
    const grouped = new Recorder("grouped", { fanout });
    const single = new Recorder("single");
    for (const recorder of [grouped, single]) {
      await subscribeTo(recorder, server.hub.connect(recorder), "c");
    }
    await server.hub.publish(channel("c"), json("1"));
    await server.hub.publish(channel("d"), json("2"));
    for (const recorder of [grouped, single]) {
      expect(pushes(recorder)).toEqual([
        { got: "reply", subscribed: { publications: [] } },
        { json: "1" },
      ]);
    }
  });

  test("leaves out the connection that is excepted, grouped or not", async () => {
    await using server = await embeddedHub();
    const fanout = new RecordingFanout();
    const recorders = [
      new Recorder("grouped", { fanout }),
      new Recorder("single"),
      new Recorder("third", { fanout }),
    ];
    for (const recorder of recorders)
      await subscribeTo(recorder, server.hub.connect(recorder), "c");
    await server.hub.publish(channel("c"), { ...json("1"), exceptConnectionId: "grouped" });
    await server.hub.publish(channel("c"), { ...json("2"), exceptConnectionId: "single" });
    const got = recorders.map((recorder) => pushes(recorder).slice(1));
    expect(got).toEqual([[{ json: "2" }], [{ json: "1" }], [{ json: "1" }, { json: "2" }]]);
  });

  test("is encoded for nobody where its sender is alone", async () => {
    await using server = await embeddedHub();
    let encoded = 0;
    const encoder: Encoder = { name: "test.counting", encode: () => void (encoded += 1) };
    const [sender, other] = [new Recorder("sender"), new Recorder("other")];
    await subscribeTo(sender, server.hub.connect(sender), "c", { encoder });
    const publication = { ...json("1"), exceptConnectionId: "sender" };
    await server.hub.publish(channel("c"), publication);
    expect(encoded).toBe(0);
    await subscribeTo(other, server.hub.connect(other), "c", { encoder });
    await server.hub.publish(channel("c"), publication);
    expect(encoded).toBe(1);
  });

  test("compacts JSON once and keeps its digits and order", async () => {
    await using server = await embeddedHub();
    const recorder = new Recorder("one");
    await subscribeTo(recorder, server.hub.connect(recorder), "c");
    await server.hub.publish(channel("c"), json(' { "b" : 9007199254740993 , "a" : " x " } '));
    expect(pushes(recorder)[1]).toEqual({ json: '{"b":9007199254740993,"a":" x "}' });
  });

  const NO_JSON = [0xff, 0];
  const SPACED = [...Buffer.from(' { "a" : 1 }\n')];
  test.each<
    [format: ChannelOptions["publicationDataFormat"], takes: readonly (string | number[])[]]
  >([
    ["", ["{}", "[1]", SPACED, NO_JSON]],
    ["json", ["{}", "[1]", SPACED]],
    ["json_object", ["{}", SPACED]],
    ["binary", ["{}", "[1]", SPACED, NO_JSON, []]],
  ])(
    "of what a channel of the format %p takes, bytes as they came, and of nothing else",
    async (publicationDataFormat, takes) => {
      await using server = await embeddedHub({
        namespaces: namespaces({}, { ns: { publicationDataFormat } }),
      });
      const recorder = new Recorder("one");
      await subscribeTo(recorder, server.hub.connect(recorder), "ns:c");
      const taken: unknown[] = [];
      for (const payload of ["{}", "[1]", "{", SPACED, NO_JSON, []]) {
        const publish = async () =>
          typeof payload === "string"
            ? server.hub.publish(channel("ns:c"), json(payload))
            : server.hub.publish(channel("ns:c"), { data: { bytes: Uint8Array.from(payload) } });
        const outcome = await publish().catch((error: unknown) => error);
        if (outcome === undefined) taken.push(payload);
        else expect(outcome).toMatchObject({ code: "bad_request" });
      }
      expect(taken).toEqual([...takes]);
      const arrived = pushes(recorder).slice(1) as Payload[];
      expect<unknown[]>(
        arrived.map((data) => ("json" in data ? data.json : Object.values(data.bytes))),
      ).toEqual([...takes]);
    },
  );

  test("of one app is not seen by another app's subscriber of the same name", async () => {
    await using server = await embeddedHub({ namespaces: KEPT });
    const fanout = new RecordingFanout();
    const [mine, theirs] = [new Recorder("one", { fanout }), new Recorder("one", { fanout })];
    await subscribeTo(mine, server.hub.connect(mine), "c");
    await subscribeTo(theirs, server.other.connect(theirs), "c");
    await server.hub.publish(channel("c"), json("1"));
    expect(mine.recorded).toHaveLength(2);
    expect(theirs.recorded).toHaveLength(1);
    const page = await server.other.history(channel("c"), { limit: 10 });
    expect(page.publications).toEqual([]);
  });

  test("to subscribers whose format cannot carry it ends those and no others", async () => {
    await using server = await embeddedHub();
    const picky: Encoder = {
      name: "test.picky",
      encode: () => ({ disconnect: "uncarriable" }),
    };
    const [fine, ended] = [new Recorder("fine"), new Recorder("ended")];
    await subscribeTo(fine, server.hub.connect(fine), "c");
    await subscribeTo(ended, server.hub.connect(ended), "c", { encoder: picky });
    await server.hub.publish(channel("c"), json("1"));
    expect(pushes(fine).at(-1)).toEqual({ json: "1" });
    expect(ended.recorded.at(-1)).toEqual({
      got: "disconnect",
      reason: { disconnect: "uncarriable" },
    });
  });
});

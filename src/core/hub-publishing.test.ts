/** What a publication comes to, at the connections of one node. */
import { describe, expect, test } from "bun:test";
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

  test("compacts JSON once and keeps its digits and order", async () => {
    await using server = await embeddedHub();
    const recorder = new Recorder("one");
    await subscribeTo(recorder, server.hub.connect(recorder), "c");
    await server.hub.publish(channel("c"), json(' { "b" : 9007199254740993 , "a" : " x " } '));
    expect(pushes(recorder)[1]).toEqual({ json: '{"b":9007199254740993,"a":" x "}' });
  });

  test("refuses what the channel does not take", async () => {
    await using server = await embeddedHub({
      namespaces: namespaces({}, { obj: { publicationDataFormat: "json_object" } }),
    });
    const { hub } = server;
    expect(hub.publish(channel("c"), json("{"))).rejects.toMatchObject({ code: "bad_request" });
    expect(hub.publish(channel("obj:c"), json("[1]"))).rejects.toMatchObject({
      code: "bad_request",
    });
    expect(
      hub.publish(channel("c"), { data: { bytes: new Uint8Array([0xff]) } }),
    ).rejects.toMatchObject({
      code: "bad_request",
    });
    expect(await hub.publish(channel("obj:c"), json('{"a":1}'))).toBeUndefined();
  });

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
      encode: () => ({ disconnect: "inappropriate_protocol" }),
    };
    const [fine, ended] = [new Recorder("fine"), new Recorder("ended")];
    await subscribeTo(fine, server.hub.connect(fine), "c");
    await subscribeTo(ended, server.hub.connect(ended), "c", { encoder: picky });
    await server.hub.publish(channel("c"), json("1"));
    expect(pushes(fine).at(-1)).toEqual({ json: "1" });
    expect(ended.recorded.at(-1)).toEqual({
      got: "disconnect",
      reason: { disconnect: "inappropriate_protocol" },
    });
  });
});

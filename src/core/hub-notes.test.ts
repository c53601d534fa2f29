/** Notes of a channel, which are no publications: one order with them, nothing to those whose format has none, and gaps. */
import { describe, expect, test } from "bun:test";
import { channel, embeddedHub, json, KEPT, subscribeTo } from "../../test/support/hub.ts";
import { Recorder, RecordingFanout, recordingEncoder } from "../../test/support/recorder.ts";
import type { Broker, ChannelListener } from "./engine.ts";
import type { Encoder } from "./hub.ts";
import type { Frame } from "./types.ts";
import { compactJson, jsonOf } from "./json-text.ts";

const note = (text: string) => ({ dialect: "test", json: jsonOf(text) });

const deaf: Encoder = {
  name: "test.deaf",
  encode: (push) => (push.type === "note" ? undefined : recordingEncoder.encode(push)),
};

const told = (recorder: Recorder) =>
  recorder.recorded.map((record) => {
    if (record.got !== "push") return record.got;
    const { push } = record;
    if (push.type === "note") return push.note;
    return push.type === "publication" ? push.publication.data : push.type;
  });

describe("note()", () => {
  test("comes in its place between publications, to those whose format has notes", async () => {
    await using server = await embeddedHub({ namespaces: KEPT });
    const { hub } = server;
    const [hears, not] = [new Recorder("hears"), new Recorder("not")];
    await subscribeTo(hears, hub.connect(hears), "c");
    await subscribeTo(not, hub.connect(not), "c", { encoder: deaf });
    await Promise.all([
      hub.publish(channel("c"), json("1")),
      hub.note(channel("c"), note("joined")),
      hub.publish(channel("c"), json("2")),
    ]);
    expect(told(hears)).toEqual([
      "reply",
      { json: compactJson("1") },
      note("joined"),
      { json: compactJson("2") },
    ]);
    expect(told(not)).toEqual(["reply", { json: compactJson("1") }, { json: compactJson("2") }]);
  });

  test("is not kept: a later subscriber does not see it", async () => {
    await using server = await embeddedHub({ namespaces: KEPT });
    const { hub } = server;
    await hub.note(channel("c"), note("before"));
    const recorder = new Recorder("late");
    await subscribeTo(recorder, hub.connect(recorder), "c", { positioned: true });
    expect(told(recorder)).toEqual(["reply"]);
  });
});

describe("a note that each subscriber completes", () => {
  const completing: Encoder = {
    name: "test.completing",
    encode: (push) => recordingEncoder.encode(push),
    completes: (push) => push.type === "note",
  };

  test("is handed to every one, in its place among what goes to the group natively", async () => {
    await using server = await embeddedHub({ namespaces: KEPT });
    const { hub } = server;
    const fanout = new RecordingFanout();
    const [grouped, alone] = [new Recorder("grouped", { fanout }), new Recorder("alone")];
    await subscribeTo(grouped, hub.connect(grouped), "c", { encoder: completing });
    await subscribeTo(alone, hub.connect(alone), "c", { encoder: completing });
    await hub.publish(channel("c"), json("1"));
    await hub.note(channel("c"), note("joined"));
    await hub.publish(channel("c"), json("2"));
    for (const each of [grouped, alone]) {
      expect(told(each)).toEqual([
        "reply",
        { json: compactJson("1") },
        note("joined"),
        { json: compactJson("2") },
      ]);
    }
  });

  test("does not reach one whose subscription another one's answer to it ended", async () => {
    await using server = await embeddedHub({ namespaces: KEPT });
    const { hub } = server;
    const leaving = new Recorder("leaving");
    const connection = hub.connect(leaving);
    class Ending extends Recorder {
      override send(frame: Frame): void {
        super.send(frame);
        void connection.unsubscribe(channel("c"));
      }
    }
    const ending = new Ending("ending");
    await subscribeTo(ending, hub.connect(ending), "c", { encoder: completing });
    await subscribeTo(leaving, connection, "c", { encoder: completing });
    await hub.note(channel("c"), note("left"));
    expect(told(ending)).toEqual(["reply", note("left")]);
    expect(told(leaving)).toEqual(["reply"]);
  });
});

describe("a gap that the history fills", () => {
  test("ends the subscriptions that rely on announcements, and no others", async () => {
    let listener: ChannelListener | undefined;
    const watching = (broker: Broker): Broker => ({
      ...broker,
      listen(at, given) {
        listener = given;
        return broker.listen(at, given);
      },
    });
    await using server = await embeddedHub({
      namespaces: KEPT,
      change: (engine) => ({ ...engine, broker: watching(engine.broker) }),
    });
    const { hub } = server;
    const [relies, fills] = [new Recorder("relies"), new Recorder("fills")];
    const options = { encoder: recordingEncoder, positioned: true };
    await hub.connect(relies).subscribe(channel("c"), { ...options, unbroken: true }, (answer) => {
      relies.replied(answer);
    });
    await hub.connect(fills).subscribe(channel("c"), options, (answer) => fills.replied(answer));
    listener?.onEvent({ type: "gap" });
    await hub.publish(channel("c"), json("1"));
    expect(relies.recorded.at(-1)).toEqual({ got: "dropped" });
    expect(told(fills)).toEqual(["reply", { json: compactJson("1") }]);
  });
});

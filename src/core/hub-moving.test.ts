/** A subscription that moves to another socket and wire format: what came before goes out on the former, what comes behind on the new one. */
import { describe, expect, test } from "bun:test";
import { channel, embeddedHub, json, KEPT, subscribeTo } from "../../test/support/hub.ts";
import { Recorder, recordingEncoder, RecordingFanout } from "../../test/support/recorder.ts";
import type { Encoder } from "./hub.ts";
import type { Frame } from "./types.ts";

const brief: Encoder = {
  name: "test.brief",
  encode: (push) =>
    push.type === "publication" && "json" in push.publication.data
      ? `brief ${push.publication.data.json}`
      : undefined,
};

/** A grouped client on one listener, subscribed to `c`, and a socket of another listener to move to. */
async function moving() {
  const server = await embeddedHub({ namespaces: KEPT });
  const recorder = new Recorder("mover", { fanout: new RecordingFanout() });
  const connection = server.hub.connect(recorder);
  await subscribeTo(recorder, connection, "c", { positioned: true });
  const moved: Frame[] = [];
  const member = new RecordingFanout().member((frame) => moved.push(frame));
  const publish = (text: string) => server.hub.publish(channel("c"), json(text));
  const former = () =>
    recorder.recorded.flatMap((record) =>
      record.got === "push" && record.push.type === "publication"
        ? [record.push.publication.position?.offset]
        : [],
    );
  return { server, recorder, connection, member, moved, publish, former };
}

describe("move()", () => {
  test("in the middle of publications loses and doubles none", async () => {
    const { server, connection, member, moved, publish, former } = await moving();
    await using _ = server;
    await publish("1");
    const underWay = [publish("2"), publish("3")];
    expect(connection.move(channel("c"), { encoder: brief, member })).toBe(true);
    await Promise.all(underWay);
    await publish("4");
    expect(former()).toEqual([1]);
    expect(moved).toEqual(["brief 2", "brief 3", "brief 4"]);
    await connection.unsubscribe(channel("c"));
    await publish("5");
    expect(moved).toHaveLength(3);
  });

  test("lets the former socket send what it holds back", async () => {
    const { server, recorder, connection, member, moved, publish, former } = await moving();
    await using _ = server;
    recorder.member?.hold();
    await publish("1");
    connection.move(channel("c"), { encoder: brief, member });
    await publish("2");
    expect(former()).toEqual([]);
    recorder.member?.release();
    expect(former()).toEqual([1]);
    expect(moved).toEqual(["brief 2"]);
  });

  test("to a socket that is held until it may follow keeps the order", async () => {
    const { server, connection, member, moved, publish } = await moving();
    await using _ = server;
    member.hold();
    connection.move(channel("c"), { encoder: brief, member });
    await publish("1");
    expect(moved).toEqual([]);
    member.release();
    await publish("2");
    expect(moved).toEqual(["brief 1", "brief 2"]);
  });

  test("to no socket has the subscriber send, and back again", async () => {
    const { server, recorder, connection, publish, former } = await moving();
    await using _ = server;
    const { member } = recorder;
    connection.move(channel("c"), { encoder: recordingEncoder });
    await publish("1");
    connection.move(channel("c"), { encoder: recordingEncoder, member });
    await publish("2");
    expect(former()).toEqual([1, 2]);
  });

  test("while a subscribe is in progress takes effect with it", async () => {
    await using server = await embeddedHub({ namespaces: KEPT });
    const recorder = new Recorder("early", { fanout: new RecordingFanout() });
    const connection = server.hub.connect(recorder);
    const moved: Frame[] = [];
    const member = new RecordingFanout().member((frame) => moved.push(frame));
    const subscribing = subscribeTo(recorder, connection, "c");
    expect(connection.move(channel("c"), { encoder: brief, member })).toBe(true);
    await subscribing;
    await server.hub.publish(channel("c"), json("1"));
    expect(moved).toEqual(["brief 1"]);
  });

  test("without a subscription is false", async () => {
    const { server, connection, member } = await moving();
    await using _ = server;
    expect(connection.move(channel("other"), { encoder: brief, member })).toBe(false);
  });
});

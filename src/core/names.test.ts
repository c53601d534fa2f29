import { expect, test } from "bun:test";
import { channel, embeddedHub, HISTORY, json, KEPT, subscribeTo } from "../../test/support/hub.ts";
import { namespaces, Recorder } from "../../test/support/recorder.ts";

/** As UTF-8 the two are one. */
const HALVES = ["a\ud800", "a\udfff"];
const BAD = { code: "bad_request" };

test("a channel's name with half a surrogate pair is refused, whatever is asked of it and in every space", async () => {
  await using server = await embeddedHub({
    namespaces: namespaces({ history: HISTORY, presence: true }),
  });
  const { hub } = server;
  const recorder = new Recorder("one");
  const connection = hub.connect(recorder);
  for (const name of HALVES) {
    for (const space of ["channels", "tasks"]) {
      const half = { space, name };
      const { encoder } = recorder;
      for (const asked of [
        () => hub.publish(half, json("1")),
        () => hub.history(half, { limit: 1 }),
        () => hub.removeHistory(half),
        () => hub.presence(half),
        () => hub.presenceStats(half),
        () => connection.subscribe(half, { encoder }, () => {}),
      ]) {
        await expect(asked()).rejects.toMatchObject(BAD);
      }
    }
  }
  expect(connection.subscriptionCount).toBe(0);
  expect(hub.stats()).toMatchObject({ channels: 0, subscriptions: 0 });
  const whole = "a\ud83d\ude00";
  await subscribeTo(recorder, connection, whole);
  await hub.publish(channel(whole), json("1"));
  expect(recorder.recorded).toHaveLength(2);
});

test("so are users and the keys of repetitions", async () => {
  await using server = await embeddedHub({ namespaces: KEPT });
  const { hub } = server;
  for (const half of HALVES) {
    expect(() => hub.connect(new Recorder("one", { user: half }))).toThrow(
      expect.objectContaining(BAD),
    );
    for (const options of [{ idempotencyKey: half }, { versionEpoch: half }]) {
      await expect(hub.publish(channel("c"), json("1"), options)).rejects.toMatchObject(BAD);
    }
  }
  expect(hub.stats().connections).toBe(0);
});

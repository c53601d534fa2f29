import { describe, expect, test } from "bun:test";
import { channel, embeddedHub, json, KEPT, pushes, subscribeTo } from "../../test/support/hub.ts";
import { Recorder } from "../../test/support/recorder.ts";
import { createTestRuntime } from "../../test/support/runtime.ts";
import {
  PUBLICATION_COST,
  PUBLICATIONS_PER_WRITE,
  PUBLISH_TURN_COST_MAX,
  QUIET_APP_MS,
} from "./limits.ts";
import { PublishTurns, type Audience } from "./publish-turns.ts";

/** So many publications that nobody hears fill a turn. */
const FULL = Math.floor(PUBLISH_TURN_COST_MAX / PUBLICATION_COST);

function createPublishers() {
  const runtime = createTestRuntime();
  const turns = new PublishTurns(runtime);
  const published: string[] = [];

  async function publish(app: string, count: number, audience?: Audience): Promise<void> {
    const answers = Array.from({ length: count }, () =>
      turns.take(
        app,
        () => audience,
        async () => published.push(app),
      ),
    );
    await Promise.all(answers);
  }

  return { runtime, published, publish };
}

test("an app that publishes alone waits for no turn", async () => {
  const { published, publish } = createPublishers();
  const answers = publish("a", 10 * FULL);
  expect(published).toHaveLength(10 * FULL);
  await answers;
});

test("beside another app's, one turn's worth goes at once, and one more waits", async () => {
  const { published, publish } = createPublishers();
  await publish("b", 1);
  const full = publish("a", FULL);
  expect(published).toHaveLength(1 + FULL);
  const more = publish("a", 1);
  expect(published).toHaveLength(1 + FULL);
  await Promise.all([full, more]);
  expect(published).toHaveLength(2 + FULL);
});

test("it is alone again once the other has been quiet for a second", async () => {
  const { runtime, published, publish } = createPublishers();
  await publish("b", 1);
  await runtime.advance(QUIET_APP_MS - 1);
  const cut = publish("a", FULL + 1);
  expect(published).toHaveLength(1 + FULL);
  await cut;
  await runtime.advance(1);
  published.length = 0;
  const whole = publish("a", FULL + 1);
  expect(published).toHaveLength(FULL + 1);
  await whole;
});

test("the more subscribers, the fewer in a turn; publications to the same ones share their writes", async () => {
  const { published, publish } = createPublishers();
  await publish("b", 1);
  const size = 1_000;
  const further = PUBLICATION_COST + size / PUBLICATIONS_PER_WRITE;
  const most = 1 + Math.floor((PUBLISH_TURN_COST_MAX - PUBLICATION_COST - size) / further);
  published.length = 0;
  const answers = publish("a", 64, { size });
  expect(published).toHaveLength(most);
  await answers;
  expect(published).toHaveLength(64);
});

describe("two apps on one engine", () => {
  test("one's publication is heard before the other's flood is through, and each app's keep their order", async () => {
    await using server = await embeddedHub({ namespaces: KEPT });
    const heard: string[] = [];
    const recorders = ["a", "b"].map((id) => new Recorder(id));
    const [one, other] = recorders;
    if (one === undefined || other === undefined) throw new Error("There are two");
    await subscribeTo(one, server.hub.connect(one), "c");
    await subscribeTo(other, server.other.connect(other), "c");
    const publish = (hub: typeof server.hub, text: string) =>
      hub.publish(channel("c"), json(text)).then(() => void heard.push(hub.app));
    await publish(server.other, "0");
    const flood = Array.from({ length: 4 * FULL }, (_, index) => publish(server.hub, `${index}`));
    await publish(server.other, "1");
    expect(heard.length).toBeLessThan(2 * FULL);
    await Promise.all(flood);
    expect(pushes(one).slice(1)).toEqual(flood.map((_, index) => ({ json: `${index}` })));
    expect(pushes(other).slice(1)).toEqual([{ json: "0" }, { json: "1" }]);
  });

  test("a publication that is refused tells its own publisher", async () => {
    await using server = await embeddedHub();
    await server.other.publish(channel("c"), json("0"));
    const all = Array.from({ length: FULL }, () => server.hub.publish(channel("c"), json("1")));
    const bad = server.hub.publish(channel("c"), { data: { bytes: new Uint8Array([0xff]) } });
    expect(bad).rejects.toMatchObject({ code: "bad_request" });
    await Promise.all(all);
  });
});

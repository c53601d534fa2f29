/** Server-side subscriptions, as centrifuge-js sees them. */
import { describe, expect, test } from "bun:test";
import { BUILDS, createOfficial } from "../../support/centrifuge-client.ts";
import { createLink } from "../../support/link.ts";
import {
  apiResult,
  bootStreaming,
  HISTORY,
  type StreamingServer,
} from "../../support/streaming.ts";
import { hs256 } from "../../support/tokens.ts";

const NAMESPACES = [
  { name: "closed", ...HISTORY, force_recovery: true },
  { name: "joins", presence: true, join_leave: true, force_push_join_leave: true },
];
const token = hs256({ sub: "42" });

async function publish(server: StreamingServer, channel: string, first: number, last: number) {
  for (let data = first; data <= last; data++) {
    await apiResult(server, "publish", { channel, data });
  }
}

describe.each(BUILDS)("centrifuge-js, %s", (build) => {
  const boot = () => bootStreaming({ namespaces: NAMESPACES });
  const claims = { sub: "42", channels: ["closed:a"], subs: { "joins:a": { data: { d: 1 } } } };

  test("from the token: events on the client", async () => {
    await using server = await boot();
    using official = createOfficial(build, server.websocketUrl, { token: hs256(claims) });
    official.client.connect();
    const { heard } = official;
    const contexts = [await heard.next("subscribed"), await heard.next("subscribed")];
    const [closed, joins] = contexts.toSorted((a, b) => a.channel.localeCompare(b.channel));
    expect(closed).toMatchObject({ channel: "closed:a", recoverable: true, positioned: true });
    expect(official.value(joins?.data)).toEqual({ d: 1 });
    expect((await heard.next("join")).info.user).toBe("42");
    await publish(server, "closed:a", 1, 1);
    const { data, channel, offset } = await heard.next("publication");
    expect([official.value(data), channel, Number(offset)]).toEqual([1, "closed:a", 1]);
    using other = createOfficial(build, server.websocketUrl, {
      token: hs256({ sub: "7", channels: ["joins:a"] }),
    });
    await other.connect();
    expect((await heard.next("join")).info.user).toBe("7");
    other.client.disconnect();
    expect((await heard.next("leave")).info.user).toBe("7");
  });

  test("by the API: subscribed, publication, unsubscribed", async () => {
    await using server = await boot();
    using official = createOfficial(build, server.websocketUrl, { token });
    await official.connect();
    const target = { user: "42", channel: "closed:a" };
    await publish(server, "closed:a", 1, 1);
    await apiResult(server, "subscribe", target);
    const { streamPosition, ...context } = await official.heard.next("subscribed");
    expect(context).toMatchObject({ channel: "closed:a", recoverable: true });
    expect(Number(streamPosition?.offset)).toBe(1);
    await publish(server, "closed:a", 2, 2);
    expect(official.value((await official.heard.next("publication")).data)).toBe(2);
    await apiResult(server, "unsubscribe", target);
    expect(await official.heard.next("unsubscribed")).toEqual({ channel: "closed:a" });
  });

  test("recover across a cut link", async () => {
    await using server = await boot();
    await using link = await createLink(server.websocketUrl);
    using official = createOfficial(build, link.url, { token: hs256(claims) });
    await official.connect();
    const { heard } = official;
    await publish(server, "closed:a", 1, 1);
    await heard.next("publication");
    await heard.next("connecting");
    await Promise.all([heard.next("subscribed"), heard.next("subscribed")]);
    link.cut();
    await heard.next("connecting");
    await publish(server, "closed:a", 2, 4);
    link.restore();
    const contexts = [await heard.next("subscribed"), await heard.next("subscribed")];
    expect(contexts.find(({ channel }) => channel === "closed:a")).toMatchObject({
      ...{ wasRecovering: true, recovered: true },
    });
    for (const number of [2, 3, 4]) {
      expect(official.value((await heard.next("publication")).data)).toBe(number);
    }
  });

  test("the personal channel", async () => {
    await using server = await bootStreaming({
      streaming: { subscribe_to_user_personal_channel: { enabled: true } },
    });
    using official = createOfficial(build, server.websocketUrl, { token });
    await official.connect();
    expect((await official.heard.next("subscribed")).channel).toBe("#42");
    await apiResult(server, "publish", { channel: "#42", data: { hello: 42 } });
    const { data, channel } = await official.heard.next("publication");
    expect([official.value(data), channel]).toEqual([{ hello: 42 }, "#42"]);
  });
});

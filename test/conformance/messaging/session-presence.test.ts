/** Availability (messaging.md §5.1, §7.1, §7.5; §15, items 15, 16, 29, 30), on raw WebSockets. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { until } from "../../support/hostile.ts";
import { connect, type Message, type MessagingClient } from "../../support/messaging.ts";
import { bootServer, type BootedServer } from "../../support/server.ts";

let server: BootedServer;
beforeAll(async () => {
  server = await bootServer();
});
afterAll(() => server[Symbol.asyncDispose]());

/** Two members of one channel, who have heard of each other. */
async function pair(name: string, on = server) {
  const watcher = await connect(on, `${name}-w`);
  const shown = await connect(on, `${name}-s`);
  const { "channel-id": id, "invite-token": token } = await watcher.ask({ type: "create-channel" });
  await shown.ask({ type: "join-channel", "invite-token": token });
  await watcher.nextOf("subscriber-joined");
  return { watcher, shown, id };
}

const model = (id: string, about: Message = {}) => ({
  id,
  status: "",
  availability: "invisible",
  administrator: false,
  attributes: {},
  ...about,
});

async function listed(client: MessagingClient, channelId: unknown, id: string) {
  const list = await client.ask({ type: "list-subscribers", "channel-id": channelId });
  return (list["subscribers"] as Message[]).find((each) => each["id"] === id);
}

describe("announce", () => {
  test("shows each value, the status and the attributes to the other members", async () => {
    const { watcher, shown, id } = await pair("15");
    for (const availability of ["available", "dnd", "busy"]) {
      const about = { availability, status: `I am ${availability}`, attributes: { a: 1 } };
      await shown.ask({ type: "announce", ...about });
      expect(await watcher.nextOf("availability")).toEqual({
        type: "availability",
        "channel-id": id,
        subscribers: [model("15-s", about)],
      });
      expect(await listed(watcher, id, "15-s")).toEqual(model("15-s", about));
    }
    await shown.ask({ type: "announce", availability: "invisible" });
    const hidden = model("15-s", { attributes: { a: 1 } });
    expect(await watcher.nextOf("availability")).toMatchObject({ subscribers: [hidden] });
    expect(await shown.refused({ type: "announce", availability: "away" })).toBe("invalid-field");
    expect(await shown.soFar()).toEqual([]);
  });

  test("keeps what it does not say, merges attributes and drops those that are null", async () => {
    const { watcher, shown } = await pair("11");
    await shown.ask({ type: "announce", status: "s", attributes: { a: 1, b: 2 } });
    await watcher.nextOf("availability");
    await shown.ask({ type: "announce", availability: "busy", attributes: { b: null, c: 3 } });
    expect(await watcher.nextOf("availability")).toMatchObject({
      subscribers: [
        model("11-s", { availability: "busy", status: "s", attributes: { a: 1, c: 3 } }),
      ],
    });
    const many = Object.fromEntries(Array.from({ length: 64 }, (_, at) => [`k${at}`, 1]));
    expect(await shown.refused({ type: "announce", attributes: many })).toBe("too-large");
  });

  test("of what is so already tells nobody", async () => {
    const { watcher, shown } = await pair("12");
    await shown.ask({ type: "announce", status: "one" });
    await shown.ask({ type: "announce", status: "one" });
    await shown.ask({ type: "announce", status: "two" });
    expect(await watcher.nextOf("availability")).toMatchObject({
      subscribers: [{ status: "one" }],
    });
    expect(await watcher.nextOf("availability")).toMatchObject({
      subscribers: [{ status: "two" }],
    });
  });
});

describe("one who is not visible looks like one who is not there", () => {
  test("before it announces, after it takes it back, and when it is gone", async () => {
    const { watcher, shown, id } = await pair("16");
    expect(await listed(watcher, id, "16-s")).toEqual(model("16-s"));
    await shown.ask({ type: "announce", availability: "busy", status: "here" });
    await watcher.nextOf("availability");
    await shown.ask({ type: "unannounce" });
    expect(await watcher.nextOf("availability")).toMatchObject({ subscribers: [model("16-s")] });
    await shown.ask({ type: "announce", availability: "invisible", attributes: { secret: 1 } });
    await shown.close();
    using again = await connect(server, "16-s");
    await again.ask({ type: "announce", availability: "dnd" });
    // Nothing came between: neither going nor coming nor what it set while it was hidden.
    expect(await watcher.next()).toMatchObject({
      type: "availability",
      subscribers: [model("16-s", { availability: "dnd" })],
    });
  });

  test("and its disconnecting shows only if it was visible", async () => {
    const { watcher, shown, id } = await pair("17");
    await shown.ask({ type: "announce", attributes: { name: "Dana" }, status: "s" });
    await watcher.nextOf("availability");
    await shown.close();
    const gone = model("17-s", { attributes: { name: "Dana" } });
    expect(await watcher.nextOf("availability")).toMatchObject({ subscribers: [gone] });
    expect(await listed(watcher, id, "17-s")).toEqual(gone);
  });
});

test("of several connections the most recent visible announcement counts, and the next when it is gone", async () => {
  const { watcher, shown } = await pair("30");
  using second = await connect(server, "30-s");
  const seen = async () => {
    const { subscribers } = (await watcher.nextOf("availability")) as { subscribers?: Message[] };
    return subscribers?.[0]?.["availability"];
  };
  await shown.ask({ type: "announce", availability: "busy" });
  expect(await seen()).toBe("busy");
  await second.ask({ type: "announce", availability: "dnd" });
  expect(await seen()).toBe("dnd");
  using third = await connect(server, "30-s");
  await third.ask({ type: "announce", availability: "invisible" });
  await second.close();
  expect(await seen()).toBe("busy");
  await shown.ask({ type: "unannounce" });
  expect(await seen()).toBe("invisible");
});

describe("a closed connection's announcement that lingers", () => {
  let lingering: BootedServer;
  beforeAll(async () => {
    lingering = await bootServer({ config: { messaging: { presence_linger: "5s" } } });
  });
  afterAll(() => lingering[Symbol.asyncDispose]());
  const announce = { type: "announce", availability: "busy", status: "Here" };
  const left = () => until(() => lingering.hub.stats().connections === 1);

  test("counts until its time is over, and is then seen to be gone", async () => {
    const { watcher, shown, id } = await pair("50", lingering);
    await shown.ask(announce);
    await watcher.nextOf("availability");
    await shown.close();
    await left();
    await lingering.advance(4999);
    expect(await listed(watcher, id, "50-s")).toMatchObject({ availability: "busy" });
    expect(await watcher.soFar()).toEqual([]);
    await lingering.advance(1);
    expect(await watcher.next()).toMatchObject({ subscribers: [model("50-s")] });
    await watcher.close();
  });

  test("hides a reconnect, and has no say in what is announced anew", async () => {
    const { watcher, shown } = await pair("51", lingering);
    await shown.ask(announce);
    await watcher.nextOf("availability");
    await shown.close();
    await left();
    await lingering.advance(4000);
    using again = await connect(lingering, "51-s");
    await again.ask(announce);
    await lingering.advance(5000);
    expect(await watcher.soFar()).toEqual([]);
    await again.ask({ type: "announce", availability: "dnd" });
    expect(await watcher.next()).toMatchObject({ subscribers: [{ availability: "dnd" }] });
    await again.ask({ type: "unannounce" });
    expect(await watcher.next()).toMatchObject({ subscribers: [model("51-s")] });
    await watcher.close();
  });
});

describe("contacts", () => {
  test("are shown when asked for, and unknown ones left out", async () => {
    using one = await connect(server, "40");
    using two = await connect(server, "41");
    await two.ask({ type: "announce", availability: "busy" });
    const subscribers = ["41", "nobody", "40", "41", "\u{1F514}"];
    expect(await one.ask({ type: "get-availability", subscribers })).toMatchObject({
      type: "availability",
      subscribers: [model("41", { availability: "busy" }), model("40")],
    });
  });

  test("that are watched tell of changes until they are not, or the connection ends", async () => {
    using one = await connect(server, "42");
    using two = await connect(server, "43");
    const watch = { type: "watch-availability", subscribers: ["43", "nobody"] };
    expect(await one.ask(watch)).toMatchObject({ subscribers: [model("43")] });
    await two.ask({ type: "announce", status: "s" });
    const change = { subscribers: [model("43", { availability: "available", status: "s" })] };
    expect(await one.next()).toEqual({ type: "availability", ...change });
    await one.ask({ type: "unwatch-availability", subscribers: ["43"] });
    await two.ask({ type: "unannounce" });
    expect(await one.soFar()).toEqual([]);
  });

  test("that block see the blocked see nothing", async () => {
    using one = await connect(server, "44");
    using two = await connect(server, "45");
    await two.ask({ type: "announce", availability: "busy" });
    await one.ask({ type: "watch-availability", subscribers: ["45"] });
    await two.ask({ type: "block-subscriber", subscriber: "44" });
    expect(await one.next()).toEqual({ type: "availability", subscribers: [model("45")] });
    await two.ask({ type: "announce", availability: "dnd" });
    expect(await one.ask({ type: "get-availability", subscribers: ["45"] })).toMatchObject({
      subscribers: [model("45")],
    });
    expect(await one.refused({ type: "direct-message", to: "45", content: "x" })).toBe("blocked");
    expect(await two.ask({ type: "list-blocked" })).toMatchObject({
      type: "blocked",
      subscribers: ["44"],
    });
    await two.ask({ type: "unblock-subscriber", subscriber: "44" });
    expect(await one.next()).toMatchObject({ subscribers: [model("45", { availability: "dnd" })] });
    expect(await two.refused({ type: "block-subscriber", subscriber: "nobody" })).toBe("not-found");
  });

  test("are watched by one connection up to 500 at a time", async () => {
    using one = await connect(server, "46");
    const names = Array.from({ length: 501 }, (_, at) => `w${at}`);
    for (let at = 0; at < 500; at += 50) {
      await Promise.all(
        names.slice(at, at + 50).map(async (name) => (await connect(server, name)).close()),
      );
    }
    await (await connect(server, "w500")).close();
    for (let at = 0; at < 500; at += 100) {
      await one.ask({ type: "watch-availability", subscribers: names.slice(at, at + 100) });
    }
    const over = { type: "watch-availability", subscribers: ["w500"] };
    expect(await one.refused(over)).toBe("limit-reached");
    await one.ask({ type: "watch-availability", subscribers: ["w0"] });
    await one.ask({ type: "unwatch-availability", subscribers: ["w1"] });
    await one.ask(over);
  });
});

describe("typing", () => {
  test("is forwarded at most every two seconds, to others, and kept nowhere", async () => {
    const { watcher, shown, id } = await pair("29");
    using own = await connect(server, "29-s");
    await shown.ask({ type: "announce" });
    await watcher.nextOf("availability");
    const typing = { type: "typing", "channel-id": id };
    await shown.ask(typing);
    expect(await watcher.next()).toEqual({ ...typing, from: "29-s", active: true });
    await shown.ask({ ...typing, active: false });
    await server.advance(1999);
    await shown.ask({ ...typing, active: false });
    await server.advance(1);
    await shown.ask({ ...typing, active: false });
    expect(await watcher.next()).toEqual({ ...typing, from: "29-s", active: false });
    await shown.ask({ type: "typing", to: "29-w" });
    expect(await watcher.next()).toEqual({
      type: "typing",
      from: "29-s",
      to: "29-w",
      active: true,
    });
    expect(await own.soFar()).toEqual([]);
    expect(await watcher.ask({ type: "history", "channel-id": id })).toMatchObject({
      messages: [],
    });
  });

  test("of one who is invisible, or blocked, is acknowledged and swallowed", async () => {
    const { watcher, shown, id } = await pair("28");
    await shown.ask({ type: "typing", "channel-id": id });
    await shown.ask({ type: "typing", to: "28-w" });
    await watcher.ask({ type: "block-subscriber", subscriber: "28-s" });
    await shown.ask({ type: "announce" });
    await shown.ask({ type: "typing", to: "28-w" });
    expect(await watcher.next()).toMatchObject({ type: "availability" });
    expect(await watcher.soFar()).toEqual([]);
  });

  test("needs somebody to type to", async () => {
    using client = await connect(server, "27");
    const { "channel-id": id } = await client.ask({ type: "create-channel" });
    using outsider = await connect(server, "26");
    expect(await outsider.refused({ type: "typing", "channel-id": id })).toBe("not-found");
    expect(await outsider.refused({ type: "typing", to: "nobody" })).toBe("not-found");
  });
});

/** Channels whose names somebody claimed: what is published to them is the claimer's first. */
import { expect, test } from "bun:test";
import { channel, embeddedHub, json, KEPT, pushes, subscribeTo } from "../../test/support/hub.ts";
import { Recorder } from "../../test/support/recorder.ts";

async function claimed() {
  const server = await embeddedHub({ namespaces: KEPT });
  const recorder = new Recorder("one");
  const connection = server.hub.connect(recorder);
  for (const name of ["ch_1", "ch_none", "c"]) await subscribeTo(recorder, connection, name);
  const taken: string[] = [];
  server.hub.claim("ch_", async (name, { data }) => {
    if (name === "ch_none") return undefined;
    taken.push(`${name} ${"json" in data ? data.json : ""}`);
    return { position: { epoch: "mine", offset: 7 } };
  });
  const received = () =>
    (pushes(recorder) as { readonly json?: string }[]).flatMap(({ json: text }) => text ?? []);
  return { ...server, taken, received, [Symbol.asyncDispose]: () => server[Symbol.asyncDispose]() };
}

test("a publication to a claimed name goes to the claim, whose position is the answer", async () => {
  await using server = await claimed();
  const position = await server.hub.publish(channel("ch_1"), json("1"));
  expect(position).toEqual({ epoch: "mine", offset: 7 });
  expect(server.taken).toEqual(["ch_1 1"]);
  expect(server.received()).toEqual([]);
});

test("what the claim leaves, other names and other spaces are published as ever", async () => {
  await using server = await claimed();
  await server.hub.publish(channel("ch_none"), json("1"));
  await server.hub.publish(channel("c"), json("2"));
  await server.hub.publish({ space: "own", name: "ch_1" }, json("3"));
  expect(server.taken).toEqual([]);
  expect(server.received()).toEqual(["1", "2"]);
});

test("the claimer's own publications pass its claim", async () => {
  await using server = await claimed();
  await server.hub.publish(channel("ch_1"), json("1"), { pastClaims: true });
  expect(server.taken).toEqual([]);
  expect(server.received()).toEqual(["1"]);
});

test("a pattern publishes to claimed names through their claim", async () => {
  await using server = await claimed();
  expect(await server.hub.publishMatching({ pattern: "^c" }, json("1"))).toBe(3);
  expect(server.taken).toEqual(["ch_1 1"]);
  expect(server.received()).toEqual(["1", "1"]);
});

test("a claim's refusal is the publisher's, and another app has claims of its own", async () => {
  await using server = await claimed();
  server.hub.claim("no_", () => Promise.reject(new Error("refused")));
  expect(server.hub.publish(channel("no_1"), json("1"))).rejects.toThrow("refused");
  await server.other.publish(channel("no_1"), json("1"));
});

test("what is kept of a claimed channel is read through its claimer, and of no other", async () => {
  await using server = await embeddedHub({ namespaces: KEPT });
  const { hub } = server;
  const revised: string[] = [];
  hub.claim(
    "ch_",
    async () => undefined,
    async (name, publications) => {
      revised.push(`${name} ${publications.length}`);
      return publications.map((publication) => ({ ...publication, data: jsonPayload("0") }));
    },
  );
  for (const name of ["ch_1", "c"]) {
    const recorder = new Recorder(name);
    await subscribeTo(recorder, hub.connect(recorder), name);
    await hub.publish(channel(name), json("1"));
    expect(pushes(recorder).at(-1)).toMatchObject({ json: "1" });
  }
  const kept = async (name: string) => {
    const { publications } = await hub.history(channel(name), { limit: 9 });
    return publications.map(({ data }) => data);
  };
  expect(await kept("ch_1")).toEqual([jsonPayload("0")]);
  expect(await kept("c")).toEqual([jsonPayload("1")]);
  const late = new Recorder("late");
  const since = { epoch: "", offset: 0 };
  await subscribeTo(late, hub.connect(late), "ch_1", { recoverSince: since });
  expect(late.recorded).toMatchObject([
    { got: "reply", subscribed: { publications: [{ data: jsonPayload("0") }] } },
  ]);
  expect(revised).toEqual(["ch_1 1", "ch_1 1"]);
  expect(await hub.history(channel("ch_1"), { limit: 0 })).toMatchObject({ publications: [] });
  expect(revised).toHaveLength(2);
});

const jsonPayload = (text: string) => json(text).data;

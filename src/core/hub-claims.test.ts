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

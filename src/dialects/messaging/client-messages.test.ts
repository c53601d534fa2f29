/** What is a client message, and what is said of one that is or is not (messaging.md §6.1, §7, §10). */
import { describe, expect, test } from "bun:test";
import { createReadMessage, type ClientMessage } from "./client-messages.ts";

const read = createReadMessage({
  message_size_limit: 65_536,
  content_size_limit: 32_768,
  attributes_size_limit: 4096,
});
const of = (message: unknown): ClientMessage | undefined => read(JSON.stringify(message));
const error = (message: unknown) => of(message)?.refusal?.error;

describe("a message of another shape is passed over", () => {
  test.each([
    ["text that is not JSON", "this is not json"],
    ["nothing", ""],
    ["an array", "[]"],
    ["a string", '"ping"'],
    ["a number", "1"],
    ["null", "null"],
    ["no type", "{}"],
    ["a type that is no string", '{"type":1}'],
    ["an unknown type", '{"type":"no-such-type"}'],
    ["a type of the server's", '{"type":"ack","status":true}'],
    ["a type that every object has", '{"type":"constructor"}'],
    ["an id that is a number", '{"type":"ping","id":1}'],
    ["an id that is null", '{"type":"ping","id":null}'],
    ["an id that is an object", '{"type":"ping","id":{}}'],
    ["a field of another type", '{"type":"announce","status":1}'],
    ["attributes that are an array", '{"type":"announce","attributes":[]}'],
    ["a required field that is missing", '{"type":"leave-channel"}'],
    ["a required field that is null", '{"type":"leave-channel","channel-id":null}'],
    ["an item of another type", '{"type":"get-availability","subscribers":["1",2]}'],
    ["a wrong type beside a wrong value", '{"type":"announce","availability":"x","status":1}'],
    ["a join with neither", '{"type":"join-channel"}'],
    ["typing to both", '{"type":"typing","to":"1","channel-id":"c"}'],
    ["typing to neither", '{"type":"typing","to":null}'],
    ["history of neither", '{"type":"history"}'],
    ["text behind the object", '{"type":"ping"}{}'],
  ])("%s", (_what, text) => {
    expect(read(text)).toBeUndefined();
  });

  test("a binary frame", () => {
    expect(read(new TextEncoder().encode('{"type":"ping"}'))).toBeUndefined();
  });

  test("nesting without an end", () => {
    expect(read(`{"type":"announce","attributes":${'{"a":'.repeat(20_000)}`)).toBeUndefined();
  });
});

describe("a message of the right shape", () => {
  test("may have any id, unknown fields, and null for what it need not have", () => {
    const id = `é${"x".repeat(5000)}`;
    expect(of({ type: "ping", id, more: [1] })).toMatchObject({ type: "ping", id });
    expect(of({ type: "ping", id: "" })?.id).toBe("");
    expect(of({ type: "announce", status: null })?.fields).toEqual({});
  });

  test("keeps its attributes' numbers as they came", () => {
    const text = '{"type":"announce","attributes":{"n": 9007199254740993}}';
    expect<string | undefined>(read(text)?.attributes).toBe('{"n":9007199254740993}');
  });

  test.each([
    ["availability", { type: "announce", availability: "away" }, "invalid-field"],
    ["status", { type: "announce", status: "x".repeat(513) }, "too-large"],
    ["attributes", { type: "announce", attributes: { a: "x".repeat(4096) } }, "too-large"],
    ["name", { type: "create-channel", name: "x".repeat(257) }, "too-large"],
    ["invite-token", { type: "create-channel", "invite-token": "" }, "invalid-field"],
    ["invite-token", { type: "create-channel", "invite-token": "x".repeat(129) }, "invalid-field"],
    ["access", { type: "create-channel", access: "public" }, "invalid-field"],
    ["limit", { type: "list-subscribers", "channel-id": "c", limit: 0 }, "invalid-field"],
    ["limit", { type: "list-subscribers", "channel-id": "c", limit: 1.5 }, "invalid-field"],
    ["limit", { type: "history", with: "1", limit: 201 }, "invalid-field"],
    ["subscribers", { type: "invite", "channel-id": "c", subscribers: [] }, "invalid-field"],
    ["content", { type: "direct-message", to: "1", content: "" }, "invalid-field"],
    ["content", { type: "direct-message", to: "1", content: "é".repeat(16_385) }, "too-large"],
    ["status", { type: "receipt", "message-ids": ["m"], status: "stored" }, "invalid-field"],
    ["before", { type: "list-conversations", before: "yesterday" }, "invalid-field"],
  ])("with a wrong %s is refused for it", (field, message, code) => {
    const refusal = of(message)?.refusal;
    expect<string | undefined>(refusal?.error).toBe(code);
    expect<string | undefined>(refusal?.details.field).toBe(field);
  });

  test("is taken at each limit", () => {
    const attributes = Object.fromEntries(Array.from({ length: 64 }, (_, at) => [`k${at}`, 1]));
    expect(of({ type: "announce", attributes })?.refusal).toBeUndefined();
    expect(error({ type: "announce", attributes: { ...attributes, more: 1 } })).toBe("too-large");
    const content = "é".repeat(16_384);
    expect(error({ type: "direct-message", to: "1", content })).toBeUndefined();
    expect(error({ type: "announce", status: "x".repeat(512) })).toBeUndefined();
    expect(error({ type: "create-channel", name: "x".repeat(256) })).toBeUndefined();
    expect(error({ type: "invite", "channel-id": "c", subscribers: ids(100) })).toBeUndefined();
    expect(error({ type: "invite", "channel-id": "c", subscribers: ids(101) })).toBe(
      "invalid-field",
    );
  });

  test("of more bytes than a message may have is refused whole", () => {
    const padded = (bytes: number) => ({ type: "ping", pad: "x".repeat(bytes - 24) });
    expect(JSON.stringify(padded(65_536)).length).toBe(65_536);
    expect(of(padded(65_536))?.refusal).toBeUndefined();
    expect(error(padded(65_537))).toBe("too-large");
  });
});

function ids(count: number): string[] {
  return Array.from({ length: count }, (_, at) => `${at}`);
}

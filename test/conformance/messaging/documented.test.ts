/** The messages that `docs/messaging-messages.md` prints, replayed in their order, and its tables, held against what the code knows. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { join } from "node:path";
import { createReadMessage } from "../../../src/dialects/messaging/client-messages.ts";
import { messagingSection } from "../../../src/dialects/messaging/config.ts";
import type { ErrorCode } from "../../../src/dialects/messaging/errors.ts";
import { HANDLERS } from "../../../src/dialects/messaging/handlers/index.ts";
import { connect, type Message, type MessagingClient } from "../../support/messaging.ts";
import { bootServer, type BootedServer } from "../../support/server.ts";

const page = await Bun.file(join(import.meta.dir, "../../../docs/messaging-messages.md")).text();

interface Line {
  readonly name: string;
  readonly verb: "connects" | "leaves" | ">" | "<";
  readonly message: Message;
}

/** It goes through all blocks of its chapter. */
const exchange = [...chapter("An exchange").matchAll(/^```text\n(.*?)^```/gms)].flatMap(
  ([, block = ""]) => block.trim().split("\n").map(lineOf),
);

function lineOf(text: string): Line {
  const [, name, verb, json = "{}"] =
    /^(\w+) (connects|leaves|[<>])(?: (\{.*\}))?$/.exec(text) ?? [];
  if (name === undefined) throw new Error(`The page has a line of another kind: ${text}`);
  return { name, verb: verb as Line["verb"], message: JSON.parse(json) as Message };
}

function chapter(title: string): string {
  const found = page.split(/^## /m).find((text) => text.startsWith(`${title}\n`));
  if (found === undefined) throw new Error(`The page has no chapter "${title}"`);
  return found;
}

/** Rows of a chapter's table: the names in its first column, and the other columns as they are. */
function rows(title: string): readonly { readonly names: string[]; readonly cells: string[] }[] {
  const lines = chapter(title).split("\n");
  // Behind its head and the line below that.
  const table = lines.slice(lines.findIndex((line) => line.startsWith("|---")) + 1);
  return table
    .filter((line) => line.startsWith("|"))
    .map((line) => {
      const [first = "", ...cells] = line.slice(1, -1).split("|");
      return { names: namesIn(first), cells };
    });
}

const namesIn = (text: string) => [...text.matchAll(/`([\w-]+)\??`/g)].map(([, name = ""]) => name);
const typesIn = (title: string) => rows(title).flatMap(({ names }) => names);

describe("the exchange", () => {
  let server: BootedServer;
  const connections = new Map<string, Documented>();
  /** What was really said, by what the page prints in its place. */
  const values = new Map<string, string>();
  beforeAll(async () => {
    server = await bootServer();
  });
  afterAll(() => server[Symbol.asyncDispose]());

  function connection(name: string): Documented {
    const found = connections.get(name);
    if (found === undefined) throw new Error(`${name} is not connected`);
    return found;
  }

  async function replay({ name, verb, message }: Line): Promise<void> {
    switch (verb) {
      case "connects":
        connections.set(name, new Documented(await connect(server, name.replace("b", ""))));
        await connection(name).settle();
        return server.advance(1);
      case "leaves":
        await connection(name).client.close();
        connections.delete(name);
        return;
      case ">":
        return connection(name).send(filled(message, values) as Message);
      case "<": {
        const { type, status } = message;
        const isAck = type === "ack" && status === true;
        const received = isAck ? connection(name).ack : await connection(name).next();
        expect(fitted(received, message, values)).toEqual(message);
      }
    }
  }

  test("is answered as printed, and nothing else comes", async () => {
    expect(exchange.length).toBeGreaterThan(50);
    for (const line of exchange) await replay(line);
    for (const each of connections.values()) {
      await each.settle();
      expect(each.left()).toEqual([]);
    }
  });
});

/** A connection whose acks of success are left out, as on the page. */
class Documented {
  readonly client: MessagingClient;
  /** The last one. */
  ack: Message = {};
  readonly #received: Message[] = [];
  #pings = 0;

  constructor(client: MessagingClient) {
    this.client = client;
  }

  /** Resolves with its ack. */
  async send(message: Message): Promise<void> {
    this.client.send(message);
    for (;;) {
      const received = await this.client.next();
      const isAck = received["type"] === "ack";
      if (isAck) this.ack = received;
      if (!isAck || received["status"] === false) this.#received.push(received);
      if (isAck) return;
    }
  }

  /** Reads what has come. */
  async settle(): Promise<void> {
    const id = `settle-${(this.#pings += 1)}`;
    await this.send({ type: "ping", id });
    const pong = this.#received.findIndex((message) => message["reply-to"] === id);
    this.#received.splice(pong, 1);
  }

  async next(): Promise<Message> {
    return this.#received.shift() ?? this.client.next();
  }

  left(): readonly Message[] {
    return this.#received;
  }
}

const GIVEN_BY_SERVER = ["channel-id", "message-id", "connection-id"];
const TIMES = ["timestamp", "edited"];
const TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/;

/** What was received, as the page prints it where the server chose: the same id in the same place each time. */
function fitted(
  received: unknown,
  printed: unknown,
  values: Map<string, string>,
  name = "",
): unknown {
  if (Array.isArray(received)) {
    return received.map((each, at) => fitted(each, (printed as unknown[])?.[at], values, name));
  }
  if (typeof received === "object" && received !== null) {
    return Object.fromEntries(
      Object.entries(received).map(([key, each]) => [
        key,
        fitted(each, (printed as Message | undefined)?.[key], values, key),
      ]),
    );
  }
  if (typeof received !== "string" || typeof printed !== "string") return received;
  if (TIMES.includes(name)) return TIME.test(received) ? printed : received;
  if (!GIVEN_BY_SERVER.includes(name)) return received;
  if (!values.has(printed)) values.set(printed, received);
  return values.get(printed) === received ? printed : received;
}

function filled(printed: unknown, values: ReadonlyMap<string, string>): unknown {
  if (typeof printed === "string") return values.get(printed) ?? printed;
  if (Array.isArray(printed)) return printed.map((each) => filled(each, values));
  if (typeof printed !== "object" || printed === null) return printed;
  return Object.fromEntries(
    Object.entries(printed).map(([key, each]) => [key, filled(each, values)]),
  );
}

describe("the tables", () => {
  const printed = (verb: Line["verb"]) =>
    exchange.flatMap((line) => (line.verb === verb ? [line.message] : []));
  const sent = printed(">");
  const received = printed("<");
  const typesOf = (messages: readonly Message[]) =>
    [...new Set(messages.map(({ type }) => String(type)))].toSorted();
  const answers = received.filter((message) => "reply-to" in message);
  const unasked = received.filter((message) => !("reply-to" in message));

  test("have every client message, and so has the exchange", () => {
    expect(typesIn("What clients send").toSorted()).toEqual(Object.keys(HANDLERS).toSorted());
    expect(typesOf(sent)).toEqual(Object.keys(HANDLERS).toSorted());
  });

  test("have every server message of the exchange, and none besides", () => {
    expect(typesIn("What answers").toSorted()).toEqual(typesOf(answers));
    expect(typesIn("What comes unasked").toSorted()).toEqual(typesOf(unasked));
  });

  test.each(rows("What clients send"))("name the fields of $names", ({ names: [type], cells }) => {
    const readMessage = createReadMessage(messagingSection.parse({}));
    const example = sent.find((message) => message["type"] === type) ?? {};
    const isRead = (message: Message) => readMessage(JSON.stringify(message)) !== undefined;
    expect(isRead(example)).toBe(true);
    const [fields = "", response = ""] = cells;
    // Nothing that is known takes a list of lists.
    for (const name of namesIn(fields)) expect(isRead({ ...example, [name]: [[]] })).toBe(false);
    const { type: _, id: _id, ...given } = example;
    expect(namesIn(fields)).toEqual(expect.arrayContaining(Object.keys(given)));
    const required = [...fields.matchAll(/`([\w-]+)`/g)].map(([, name = ""]) => name);
    for (const name of required) expect(isRead({ ...example, [name]: undefined })).toBe(false);
    expect(responsesTo(type)).toEqual(namesIn(response));
  });

  /** Their types, but for acks. */
  function responsesTo(type: string | undefined): readonly string[] {
    const responses = exchange.flatMap(({ verb, name, message: asked }, at) => {
      if (verb !== ">" || asked["type"] !== type) return [];
      const answer = exchange
        .slice(at + 1)
        .find((each) => each.name === name && each.message["reply-to"] === asked["id"]);
      return answer === undefined ? [] : [answer.message];
    });
    return typesOf(responses).filter((each) => each !== "ack");
  }

  test.each([
    ["What answers", answers],
    ["What comes unasked", unasked],
  ])("name the members: %s", (title, messages) => {
    for (const { type, "reply-to": _, ...members } of messages) {
      const row = rows(title).find(({ names }) => names.includes(String(type)));
      const named = namesIn(row?.cells.join(" ") ?? "");
      expect([type, named]).toEqual([type, expect.arrayContaining(Object.keys(members))]);
    }
  });

  test("have every error", () => {
    const codes: Readonly<Record<ErrorCode, true>> = {
      "invalid-field": true,
      "not-found": true,
      "not-administrator": true,
      "token-in-use": true,
      "last-administrator": true,
      blocked: true,
      "too-large": true,
      "limit-reached": true,
      "rate-limited": true,
      unavailable: true,
    };
    expect(typesIn("Errors of messages").toSorted()).toEqual(Object.keys(codes).toSorted());
  });

  test("say the limits as they are", () => {
    const defaults: Readonly<Record<string, unknown>> = messagingSection.parse({});
    const limits = [...chapter("Limits").matchAll(/`(\w+)`, ([\d,]+)/g)];
    expect(limits.length).toBeGreaterThan(8);
    for (const [, name = "", value = ""] of limits) {
      expect([name, Number(value.replaceAll(",", ""))]).toEqual([name, Number(defaults[name])]);
    }
  });
});

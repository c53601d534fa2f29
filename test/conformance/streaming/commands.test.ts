/** publish, presence, history, rpc and who may use them (centrifugo-protocol.md §6, §8.1, §22 items 8, 9). */
import { describe, expect, test } from "bun:test";
import {
  apiResult,
  bootStreaming,
  CLOSES,
  connectClient,
  ERRORS,
  HISTORY,
  OPEN,
  subscribed,
} from "../../support/streaming.ts";

const USER = { sub: "1" };
const ANONYMOUS = { allow_anonymous_connect_without_token: true };

/** The options of each permission, and a command that needs it. */
const PERMISSIONS = [
  ["publish", {}, { publish: { channel: "ns:a", data: {} } }],
  ["presence", { presence: true }, { presence: { channel: "ns:a" } }],
  ["presence", { presence: true }, { presence_stats: { channel: "ns:a" } }],
  ["history", HISTORY, { history: { channel: "ns:a" } }],
] as const;

describe("§6: permissions", () => {
  const may = (name: string, ...groups: string[]) =>
    Object.fromEntries(groups.map((group) => [`allow_${name}_for_${group}`, true]));

  for (const [name, options, command] of PERMISSIONS) {
    test.each([
      ["nothing", [], USER, false, 103],
      ["client", ["client"], USER, false, undefined],
      ["client, to an anonymous one", ["client"], undefined, false, 103],
      ["client and anonymous, to one", ["client", "anonymous"], undefined, false, undefined],
      ["anonymous alone", ["anonymous"], undefined, false, 103],
      ["subscriber, not subscribed", ["subscriber"], USER, false, 103],
      ["subscriber, subscribed", ["subscriber"], USER, true, undefined],
      ["subscriber, to an anonymous one", ["subscriber"], undefined, true, 103],
      [
        "both, to a subscribed anonymous one",
        ["subscriber", "anonymous"],
        undefined,
        true,
        undefined,
      ],
    ] as const)(
      `${Object.keys(command)[0]}: %s`,
      async (_name, groups, claims, subscribe, code) => {
        await using server = await bootStreaming({
          namespaces: [{ name: "ns", ...OPEN, ...options, ...may(name, ...groups) }],
          streaming: ANONYMOUS,
        });
        using client = await connectClient(server, claims);
        if (subscribe) await subscribed(client, "ns:a");
        client.send({ id: 50, ...command });
        const replies = await client.arrived();
        const reply = replies.find(({ id }) => id === 50);
        if (code === undefined)
          expect(Object.keys(reply ?? {})).toEqual(["id", Object.keys(command)[0] ?? ""]);
        else expect(reply).toEqual({ id: 50, error: ERRORS[code] });
      },
    );

    test(`${Object.keys(command)[0]}: insecure mode`, async () => {
      await using server = await bootStreaming({
        namespaces: [{ name: "ns", ...options }],
        streaming: { insecure: true },
      });
      using client = await connectClient(server);
      expect(Object.keys(await client.ask(command))).toEqual([Object.keys(command)[0] ?? ""]);
    });

    test(`${Object.keys(command)[0]}: unknown namespaces and bad names`, async () => {
      await using server = await bootStreaming({
        namespaces: [{ name: "ns", ...OPEN, ...options, ...may(name, "client") }],
      });
      using client = await connectClient(server, USER);
      const [[method, request] = ["", {}]] = Object.entries(command);
      const ask = (channel: string) => client.ask({ [method]: { ...request, channel } });
      expect(await ask("none:a")).toEqual({ error: ERRORS[102] });
      expect(await ask("ns:é")).toEqual({ error: ERRORS[107] });
    });
  }

  test.each([
    ["item 9: presence", { presence: { channel: "ns:a" } }],
    ["item 9: presence_stats", { presence_stats: { channel: "ns:a" } }],
    ["history", { history: { channel: "ns:a", limit: 1 } }],
  ])(
    "%s of a namespace that keeps none is error 108, permission or not",
    async (_name, command) => {
      for (const permissions of [{}, may("presence", "client"), may("history", "client")]) {
        await using server = await bootStreaming({
          namespaces: [{ name: "ns", ...OPEN, ...permissions }],
        });
        using client = await connectClient(server, USER);
        expect(await client.ask(command)).toEqual({ error: ERRORS[108] });
      }
    },
  );
});

describe("publish", () => {
  const PUBLISH = { ...OPEN, allow_publish_for_client: true };

  test("reaches every subscriber, the publisher too, with the publisher's info", async () => {
    await using server = await bootStreaming({
      namespaces: [{ name: "ns", ...PUBLISH, ...HISTORY }],
    });
    using publisher = await connectClient(server, { ...USER, info: { name: "Ann" } });
    using other = await connectClient(server, { sub: "2" });
    for (const client of [publisher, other]) await subscribed(client, "ns:a");
    publisher.send({ id: 50, publish: { channel: "ns:a", data: { a: [1] } } });
    const info = { user: "1", client: publisher.id, conn_info: { name: "Ann" } };
    const { epoch } = await apiResult(server, "history", { channel: "ns:a" });
    const pub = { data: { a: [1] }, info, offset: 1, epoch };
    expect(await publisher.arrived()).toContainAllValues([
      { id: 50, publish: {} },
      { push: { channel: "ns:a", pub } },
    ]);
    expect(await other.arrived()).toEqual([{ push: { channel: "ns:a", pub } }]);
  });

  test.each([
    ["no data", "json", {}, 107],
    ["null", "json", { data: null }, undefined],
    ["false", "json", { data: false }, undefined],
    ["an object, where objects are asked for", "json_object", { data: {} }, undefined],
    ["an array, where objects are asked for", "json_object", { data: [] }, 107],
    ["no data, where anything goes", "binary", {}, undefined],
    ["a map's key", "json", { data: {}, type: 1, key: "a" }, 107],
  ] as const)("%s", async (_name, publication_data_format, request, code) => {
    await using server = await bootStreaming({
      namespaces: [{ name: "ns", ...PUBLISH, publication_data_format }],
    });
    using client = await connectClient(server, USER);
    expect(await client.ask({ publish: { channel: "ns:a", ...request } })).toEqual(
      code === undefined ? { publish: {} } : { error: ERRORS[code] },
    );
  });
});

describe("presence", () => {
  test("has each connection, and counts users once and anonymous ones as one", async () => {
    await using server = await bootStreaming({
      streaming: ANONYMOUS,
      namespaces: [{ name: "ns", ...OPEN, presence: true, allow_presence_for_client: true }],
    });
    using one = await connectClient(server, USER);
    using two = await connectClient(server, USER);
    using three = await connectClient(server);
    using four = await connectClient(server);
    const clients = [one, two, three, four];
    for (const client of clients) await subscribed(client, "ns:a");
    const users = ["1", "1", "", ""];
    const presence = Object.fromEntries(
      clients.map(({ id }, index) => [id, { user: users[index], client: id }]),
    );
    expect(await one.ask({ presence: { channel: "ns:a" } })).toEqual({ presence: { presence } });
    expect(await one.ask({ presence_stats: { channel: "ns:a" } })).toEqual({
      presence_stats: { num_clients: 4, num_users: 2 },
    });
    await four.ask({ unsubscribe: { channel: "ns:a" } });
    three.send({ id: 90, connect: {} });
    expect(await three.closed()).toEqual(CLOSES[3501]);
    expect(await one.ask({ presence_stats: { channel: "ns:a" } })).toEqual({
      presence_stats: { num_clients: 2, num_users: 1 },
    });
  });
});

describe("history of eight, of which five are kept", () => {
  test.each([
    ["item 8: no limit: the position only", {}, []],
    ["limit 0", { limit: 0 }, []],
    ["a limit", { limit: 2 }, [4, 5]],
    ["a negative limit", { limit: -1 }, [4, 5, 6, 7, 8]],
    ["since", { limit: 10, since: { offset: 6 } }, [7, 8]],
    ["since before what is kept", { limit: 2, since: { offset: 1 } }, [4, 5]],
    ["since the top", { limit: 10, since: { offset: 8 } }, []],
    ["reverse", { limit: 2, reverse: true }, [8, 7]],
    ["reverse since", { limit: 10, reverse: true, since: { offset: 6 } }, [5, 4]],
  ])("%s", async (_name, query, offsets) => {
    await using server = await bootStreaming({
      namespaces: [
        { name: "ns", ...OPEN, ...HISTORY, history_size: 5, allow_history_for_client: true },
      ],
    });
    const time = server.runtime.clock.epochMs();
    let epoch: unknown;
    for (let data = 1; data <= 8; data++) {
      const tags = { n: `${data}` };
      ({ epoch } = await apiResult(server, "publish", { channel: "ns:a", data, tags }));
    }
    using client = await connectClient(server, USER);
    const since = "since" in query ? { since: { ...query.since, epoch } } : {};
    expect(await client.ask({ history: { channel: "ns:a", ...query, ...since } })).toEqual({
      history: {
        publications: offsets.map((offset) => ({
          data: offset,
          offset,
          tags: { n: `${offset}` },
          time,
        })),
        epoch,
        offset: 8,
      },
    });
  });

  test.each([
    ["another epoch", { limit: 1, since: { offset: 1, epoch: "another" } }, 112],
    ["reverse since offset 0", { limit: 1, reverse: true, since: { epoch: "" } }, 107],
  ] as const)("%s is an error", async (_name, query, code) => {
    await using server = await bootStreaming({
      namespaces: [{ name: "ns", ...OPEN, ...HISTORY, allow_history_for_client: true }],
    });
    using client = await connectClient(server, USER);
    expect(await client.ask({ history: { channel: "ns:a", ...query } })).toEqual({
      error: ERRORS[code],
    });
  });

  test("at most history_max_publication_limit are answered", async () => {
    await using server = await bootStreaming({
      streaming: { history_max_publication_limit: 3 },
      namespaces: [{ name: "ns", ...OPEN, ...HISTORY, allow_history_for_client: true }],
    });
    for (let data = 1; data <= 5; data++) {
      await apiResult(server, "publish", { channel: "ns:a", data });
    }
    using client = await connectClient(server, USER);
    for (const limit of [-1, 4, 1000]) {
      expect(await client.ask({ history: { channel: "ns:a", limit } })).toMatchObject({
        history: { publications: [{ data: 1 }, { data: 2 }, { data: 3 }] },
      });
    }
  });
});

describe("rpc", () => {
  test.each([
    ["a method", {}, "a", { error: ERRORS[108] }],
    ["no method", {}, "", { error: ERRORS[108] }],
    ["an unknown namespace's", {}, "ns:a", { error: ERRORS[104] }],
    ["ping, without rpc_ping", {}, "ping", { error: ERRORS[108] }],
    ["ping", { rpc_ping: { enabled: true } }, "ping", { rpc: {} }],
    ["ping by another name", { rpc_ping: { enabled: true, method: "up" } }, "up", { rpc: {} }],
  ])("%s", async (_name, streaming, method, reply) => {
    await using server = await bootStreaming({ streaming });
    using client = await connectClient(server, USER);
    expect(await client.ask({ rpc: { method, data: { a: 1 } } })).toEqual(reply);
  });
});

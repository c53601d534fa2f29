/** Checklist 5 to 7 (event-streaming.md §11): which channels a caller may ask for, and what those hear who may not. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import {
  access,
  ask,
  bootEvents,
  codeOf,
  ORG,
  OTHER_ORG,
  OTHER_USER,
  USER,
  type EventsAnswer,
  type Json,
} from "../../support/events.ts";
import type { StreamingServer } from "../../support/streaming.ts";

function askAt(server: StreamingServer, channel: string, claims: Json = {}): Promise<EventsAnswer> {
  const token = access(server, claims);
  return ask(server, "/events/subscription_token", { method: "POST", token, body: { channel } });
}
const askFor = (channel: string, claims?: Json) => askAt(server, channel, claims);

let server: StreamingServer;
beforeAll(async () => {
  server = await bootEvents();
});
afterAll(() => server[Symbol.asyncDispose]());

describe("§8: granted", () => {
  test.each([
    `shipments:${ORG}`,
    `shipments:${ORG}#${USER}`,
    `shipments:${ORG}.shp_2iBgUOHPuWh0Hvjc81euqKXTW5N`,
    `shipments:${ORG}.shp_1#${USER}`,
    `shipments:${ORG}.a-b.c_d`,
    `shipments:${ORG}.${"s".repeat(64)}`,
    `orders:${ORG}`,
    "public:news",
    "status:global",
    "status:a:b.c,d",
  ])("%s", async (channel) => {
    expect(codeOf(await askFor(channel))).toBe("ok");
  });

  test("a public one without any scope, and by any level of the resource", async () => {
    expect(codeOf(await askFor("status:global", { scope: undefined }))).toBe("ok");
    for (const level of ["read", "manage", "admin"]) {
      const answer = await askFor(`orders:${ORG}`, { scope: `orders:${level}` });
      expect(codeOf(answer)).toBe("ok");
    }
  });
});

test("5: a missing scope is 403 and the body names those that would do", async () => {
  const channel = `shipments:${ORG}#${USER}`;
  for (const scope of ["orders:read platform:admin", undefined, "shipments:reader"]) {
    const answer = await askFor(channel, { scope });
    expect(answer.status).toBe(403);
    expect(answer.body).toEqual({
      error: {
        code: "insufficient_scope",
        message: "The access token does not permit this channel.",
        details: {
          channel,
          required_any: ["shipments:read", "shipments:manage", "shipments:admin"],
        },
      },
      request_id: answer.headers["x-request-id"],
    });
    expect(answer.headers["www-authenticate"]).toBe(
      'Bearer error="insufficient_scope", scope="shipments:read"',
    );
  }
});

describe("6: another organisation, another user and an unknown namespace", () => {
  const channels = [
    `shipments:${OTHER_ORG}`,
    `shipments:${OTHER_ORG}#${USER}`,
    `shipments:${ORG}#${OTHER_USER}`,
    `shipments:${ORG}.shp_1#${OTHER_USER}`,
    `unknown:${ORG}`,
    `unknown:${OTHER_ORG}#${OTHER_USER}`,
    "unknown:anything",
  ];

  test("give one answer, with and without scopes", async () => {
    const texts = new Set<string>();
    for (const channel of channels) {
      for (const claims of [{}, { scope: undefined }]) {
        const answer = await askFor(channel, claims);
        expect([answer.status, codeOf(answer)]).toEqual([403, "channel_forbidden"]);
        const {
          "x-request-id": id,
          "content-length": length,
          date: _,
          ...headers
        } = answer.headers;
        const text = answer.text.replace(String(id), "ID").replace(channel, "CHANNEL");
        expect(Number(length)).toBe(Buffer.byteLength(answer.text));
        texts.add(JSON.stringify([text, headers]));
      }
    }
    expect(texts.size).toBe(1);
  });
});

describe("7: malformed", () => {
  const LONG = `status:${"a".repeat(248)}`;
  test.each([
    ["no colon", "shipments"],
    ["an empty name", ""],
    ["no namespace", `:${ORG}`],
    ["nothing behind the colon", "shipments:"],
    ["256 bytes", `${LONG}a`],
    ["non-ASCII", `shipments:${ORG}.ü`],
    ["a space", "status:a b"],
    ["a control character", "status:a\nb"],
    ["*", `shipments:${ORG}.*`],
    ["&", "status:a&b"],
    ["/", "status:a/b"],
    ["an empty user part", `shipments:${ORG}#`],
    ["two users", `shipments:${ORG}#${USER},${OTHER_USER}`],
    ["no organisation", `shipments:#${USER}`],
    ["free text in a private namespace", "shipments:all"],
    ["an organisation that is none", "shipments:org_"],
    ["an empty segment", `shipments:${ORG}.`],
    ["a segment of 65", `shipments:${ORG}.${"s".repeat(65)}`],
    ["a user that is none", `shipments:${ORG}#42`],
    ["two user parts", `shipments:${ORG}#${USER}#${USER}`],
    ["a namespace of one letter", `s:${ORG}`],
    ["a namespace with a dot", `ship.ments:${ORG}`],
    ["a namespace of 65", `${"n".repeat(65)}:${ORG}`],
    ["# in a public namespace", `status:global#${USER}`],
    ["$ where it is not allowed", `$shipments:${ORG}`],
    ["$ before an unknown namespace", `$unknown:${ORG}`],
    ["an unknown namespace with an empty user part", `unknown:${ORG}#`],
  ])("%s", async (_name, channel) => {
    const answer = await askFor(channel);
    expect([answer.status, codeOf(answer)]).toEqual([400, "invalid_channel"]);
  });

  test("255 bytes are not too many", async () => {
    expect(LONG.length).toBe(255);
    expect(codeOf(await askFor(LONG))).toBe("ok");
  });
});

describe("a namespace with multi_user and private_prefix", () => {
  const events = { namespaces: [{ name: "chat", multi_user: true, private_prefix: true }] };
  const claims = { scope: "chat:read" };
  const named = (count: number) =>
    Array.from({ length: count - 1 }, (_, index) => `usr_0${index}`).concat(USER);

  test("names up to ten users, in ascending order, the caller among them", async () => {
    await using special = await bootEvents({ events });
    const judge = async (users: readonly string[]) =>
      codeOf(await askAt(special, `chat:${ORG}#${users.join(",")}`, claims));
    expect(await judge(named(2))).toBe("ok");
    expect(await judge(named(10))).toBe("ok");
    expect(await judge(named(11))).toBe("invalid_channel");
    expect(await judge([USER, USER])).toBe("invalid_channel");
    expect(await judge([USER, "usr_0"])).toBe("invalid_channel");
    expect(await judge(["usr_0", "usr_1"])).toBe("channel_forbidden");
  });

  test("$ names another channel with the permission of its twin", async () => {
    await using special = await bootEvents({ events });
    const judge = async (channel: string, scope: string) =>
      codeOf(await askAt(special, channel, { scope }));
    expect(await judge(`$chat:${ORG}`, "chat:read")).toBe("ok");
    expect(await judge(`$chat:${ORG}`, "other:read")).toBe("insufficient_scope");
    expect(await judge(`$chat:${OTHER_ORG}`, "chat:read")).toBe("channel_forbidden");
  });
});

test("the organisation's own notices are joined with the webhooks' scopes", async () => {
  for (const [scope, code] of [
    ["webhooks:read", "ok"],
    ["webhooks:admin", "ok"],
    ["platform:admin", "ok"],
    ["shipments:read", "insufficient_scope"],
  ] as const) {
    expect(codeOf(await askFor(`webhooks:${ORG}`, { scope }))).toBe(code);
  }
  expect(codeOf(await askFor(`webhooks:${OTHER_ORG}`))).toBe("channel_forbidden");
});

import { expect, test } from "bun:test";
import { HubError } from "../../../core/errors.ts";
import { BearerFault } from "./bearers.ts";
import type { Bearer } from "./contract.ts";
import { createGate } from "./gate.ts";

const bearer = (subscriber: string): Bearer => ({
  ...{ subscriber, token: "00", expiresMs: Infinity },
});

function create() {
  const refused: number[] = [];
  const failed: unknown[] = [];
  const gate = createGate({
    app: "dev",
    explainsRefusals: false,
    bearers: {
      find: async (token) => {
        if (token === "away") throw new HubError("unavailable", "The engine is away");
        if (token === "bug") throw new TypeError("A bug");
        if (token === "server") return new BearerFault("insufficient_scope", "A server's");
        return token.startsWith("good-")
          ? bearer(token.slice(5))
          : new BearerFault("invalid_token", "Unknown");
      },
      holds: async () => true,
      revoke: async () => undefined,
    },
    allowsOrigin: (origin) => origin === "https://app.example",
    onEvent: () => {},
    onError: (error) => void failed.push(error),
    onRefused: () => void refused.push(1),
  });
  return { gate, refused, failed };
}

function request(token?: string, headers: Record<string, string> = {}) {
  const url = new URL("http://host.example/messaging/info");
  if (token !== undefined) url.searchParams.set("access_token", token);
  return { url, headers: new Headers(headers) };
}

const statusOf = (answer: unknown) => (answer instanceof Response ? answer.status : "passes");

test("/info needs no token, and a wrong one is refused as anywhere", async () => {
  const { gate, refused } = create();
  const all = [];
  for (const token of [undefined, "good-1", "", "bad", "server"]) {
    all.push(statusOf(await gate.admitInfo(request(token))));
  }
  expect(all).toEqual(["passes", "passes", 401, 401, 403]);
  // No connection was.
  expect(refused).toEqual([]);
  expect(statusOf(await gate.admit(request()))).toBe(401);
  expect(refused).toEqual([1]);
});

test("a later request of a session is its subscriber's alone, by whichever token", async () => {
  const { gate } = create();
  expect(statusOf(await gate.admitAs(request("good-1"), "1"))).toBe("passes");
  const other = await gate.admitAs(request("good-2"), "1");
  expect(statusOf(other)).toBe(403);
  expect(await (other as Response).json()).toMatchObject({ error: "insufficient_scope" });
  for (const token of [undefined, "bad"]) {
    expect(statusOf(await gate.admitAs(request(token), "1"))).toBe(401);
  }
});

test("a page sees the refusal where it may see the answers", async () => {
  const { gate } = create();
  const seen = async (origin?: string) => {
    const answer = await gate.admit(request("bad", origin === undefined ? {} : { origin }));
    const { headers, status } = answer as Response;
    return [status, headers.get("access-control-allow-origin"), headers.get("vary")];
  };
  expect(await seen()).toEqual([401, "*", "Origin"]);
  expect(await seen("https://app.example")).toEqual([401, "https://app.example", "Origin"]);
  expect(await seen("https://other.example")).toEqual([403, null, "Origin"]);
  expect(await seen("null")).toEqual([403, null, "Origin"]);
  // The server's own page, whatever stands before it speaks TLS.
  expect(await seen("https://host.example")).toEqual([401, null, "Origin"]);
});

test("while it cannot be told, a request is to come again, and a bug is one", async () => {
  const { gate, failed } = create();
  const answer = (await gate.admit(request("away"))) as Response;
  expect([answer.status, answer.headers.get("retry-after")]).toEqual([503, "1"]);
  expect(await answer.json()).toMatchObject({ error: "unavailable" });
  expect(failed).toHaveLength(1);
  await expect(gate.admit(request("bug"))).rejects.toThrow("A bug");
});

/** The authorization hook: what it is asked, and what its answers bring about (sora-push.md §2). */
import { describe, expect, test } from "bun:test";
import {
  bootSora,
  closeOf,
  CONNECT,
  connectSora,
  openSora,
  push,
  type Json,
  type SoraServer,
} from "../../support/sora.ts";
import { connectRaw } from "../../support/raw-websocket.ts";

describe("the authorization hook", () => {
  interface Hook extends Disposable {
    readonly url: string;
    readonly asked: { readonly body: Json; readonly headers: Headers }[];
    answer: Response;
  }

  function startHook(): Hook {
    const asked: Hook["asked"] = [];
    const server = Bun.serve({
      port: 0,
      hostname: "127.0.0.1",
      async fetch(request) {
        asked.push({ body: (await request.json()) as Json, headers: request.headers });
        return new Response(await hook.answer.clone().text(), { status: hook.answer.status });
      },
    });
    const hook: Hook = {
      url: server.url.href,
      asked,
      answer: Response.json({ allowed: true }),
      [Symbol.dispose]: () => void server.stop(true),
    };
    return hook;
  }

  async function withHook(hook: Hook): Promise<SoraServer> {
    return bootSora({ sora: { auth_url: hook.url } });
  }

  test("is asked about each connect, its metadata as it was written", async () => {
    using hook = startHook();
    await using server = await withHook(hook);
    const metadata = { key: ["x", null] };
    using client = await openSora(server, { metadata, client_id: "u1" });
    expect(hook.asked.map(({ body }) => body)).toEqual([
      {
        ...{ timestamp: "2026-11-01T00:00:00.000Z", version: expect.any(String) },
        ...{ channel_id: "sora", connection_id: client.id, session_id: client.offer["session_id"] },
        ...{ client_id: "u1", bundle_id: client.id, role: "recvonly", audio: true, video: true },
        ...{ multistream: true, simulcast: false, spotlight: false },
        ...{ data_channel_signaling: false, ignore_disconnect_websocket: false },
        ...{ metadata, auth_metadata: metadata },
      } as never,
    ]);
    expect(hook.asked[0]?.headers.get("sora-connection-id")).toBe(client.id);
  });

  test("refuses with its own words", async () => {
    using hook = startHook();
    await using server = await withHook(hook);
    for (const [answer, reason] of [
      [{ allowed: false, reason: "wrong key" }, "wrong key"],
      [{ allowed: false, reason: "é".repeat(100) }, "é".repeat(61)],
      [{ allowed: false }, "AUTHENTICATION-FAILURE"],
    ] as const) {
      hook.answer = Response.json(answer);
      const socket = await connectRaw(server.signalingUrl);
      socket.send(JSON.stringify(CONNECT));
      expect(await closeOf(socket)).toEqual([4490, reason]);
    }
  });

  test("grants ids, metadata and signaling; the client it names is a user", async () => {
    using hook = startHook();
    await using server = await withHook(hook);
    hook.answer = Response.json({
      ...{ allowed: true, client_id: "u7", bundle_id: "b7", metadata: { level: 1 } },
      ...{ event_metadata: { e: 1 }, signaling_notify_metadata: { z: 1 } },
    });
    using client = await connectSora(server, { signaling_notify_metadata: "mine" });
    expect(client.offer).toMatchObject({
      ...{ client_id: "u7", bundle_id: "b7", metadata: { level: 1 } },
    });
    const listed = await server.call("Sora_20201013.ListConnections");
    expect(listed.json).toMatchObject([{ client_id: "u7", event_metadata: { e: 1 } } as never]);
    await server.hub.push({ user: "u7" }, { data: { json: "[1]" as never } });
    expect(await client.until("push")).toEqual(push({ value: [1] }));
    using other = await openSora(server, { client_id: "u8" });
    expect(other.offer["client_id"]).toBe("u7");
  });

  test("a client that it only lets in is no user", async () => {
    using hook = startHook();
    await using server = await withHook(hook);
    using client = await connectSora(server, { client_id: "u1" });
    const reached = await server.hub.push({ user: "u1" }, { data: { json: "{}" as never } });
    expect([client.offer["client_id"], reached.matched]).toEqual(["u1", 0]);
  });

  test("that gives no answer lets nobody in", async () => {
    using hook = startHook();
    await using server = await withHook(hook);
    for (const answer of [
      new Response("no", { status: 500 }),
      new Response("no JSON"),
      Response.json({ allowed: "yes" }),
      Response.json({ allowed: true, client_id: "" }),
      Response.json({ allowed: true, signaling_notify_metadata: "x".repeat(5000) }),
      new Response("x".repeat(70_000)),
    ]) {
      hook.answer = answer;
      const socket = await connectRaw(server.signalingUrl);
      socket.send(JSON.stringify(CONNECT));
      expect(await closeOf(socket)).toEqual([4490, "INTERNAL-ERROR"]);
    }
    expect(server.peers.all).toEqual([]);
  });
});

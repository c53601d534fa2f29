/** The unmodified `sora-js-sdk` in headless Chromium: every role on every transport, bursts, messaging, and every way to end (sora-push.md §3.6). */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { systemRuntime } from "../../../src/system-runtime.ts";
import { bootServer, type BootedServer } from "../../support/server.ts";
import { callSora } from "../../support/sora.ts";
import { useSoraBrowser, type SoraPage, type SoraRole } from "../../support/sora-browser.ts";

const TIMEOUT_MS = 30_000;
/** Every role on every transport, and what takes its time, are for the soak: `CARILLON_SOAK=1`. */
const SOAK = process.env["CARILLON_SOAK"] === "1";

let server: BootedServer;
beforeAll(async () => {
  server = await bootServer({ runtime: systemRuntime });
});
afterAll(() => server[Symbol.asyncDispose]());

const browser = useSoraBrowser(() => `${server.clientsUrl.replace(/^http/, "ws")}/signaling`);

const TRANSPORTS = {
  websocket: {},
  hybrid: { dataChannelSignaling: true },
  datachannel: { dataChannelSignaling: true, ignoreDisconnectWebSocket: true },
} as const;
type Transport = keyof typeof TRANSPORTS;

async function connected(
  role: SoraRole,
  transport: Transport,
  options: Readonly<Record<string, unknown>> = {},
): Promise<SoraPage> {
  const page = await browser.open();
  await page.connect(role, { ...TRANSPORTS[transport], ...options });
  // Its own notice, behind which it is a recipient.
  await page.until("notify");
  if (transport !== "websocket") {
    expect(await page.until("switched")).toEqual(["switched", transport === "datachannel"]);
  }
  return page;
}

async function call(target: string, body: unknown) {
  const { status } = await callSora(server.apiUrl, target, body);
  expect(status).toBe(200);
}

const push = async (page: SoraPage, data: unknown) =>
  call("Sora_20160711.PushConnection", {
    ...{ channel_id: "sora", connection_id: await page.connectionId(), data },
  });

const carries = (transport: Transport) => (transport === "websocket" ? "websocket" : "datachannel");

const CASES: readonly (readonly [SoraRole, Transport])[] = [
  ["recvonly", "websocket"],
  ["sendrecv", "hybrid"],
  ["messaging", "datachannel"],
];
const ALL_CASES: typeof CASES = [
  ...(["recvonly", "sendonly", "sendrecv"] as const).flatMap((role) =>
    (["websocket", "hybrid", "datachannel"] as const).map(
      (transport) => [role, transport] as const,
    ),
  ),
  ["messaging", "hybrid"],
  ["messaging", "datachannel"],
];

describe("in Chromium", () => {
  describe("each role and transport: a push arrives once, and disconnect() ends as it should", () => {
    test.each(SOAK ? ALL_CASES : CASES)(
      "%s over %s",
      async (role, transport) => {
        const page = await connected(role, transport);
        await push(page, { text: "Grüße 🙂", n: [1, null] });
        const received = ["push", { text: "Grüße 🙂", n: [1, null] }, carries(transport)];
        expect(await page.until("push")).toEqual(received as never);
        await page.disconnect();
        const end = ["disconnect", "normal", "DISCONNECT", 1000, "TYPE-DISCONNECT"];
        expect(await page.until("disconnect")).toEqual(end as never);
        const events = await page.events();
        expect(events.filter(([name]) => name === "push")).toHaveLength(1);
        expect(events.filter(([name]) => name === "disconnect")).toHaveLength(1);
      },
      TIMEOUT_MS,
    );
  });

  describe.each(["websocket", "hybrid", "datachannel"] as const)("over %s", (transport) => {
    test.skipIf(!SOAK)(
      "500 pushes in a burst arrive complete and in order",
      async () => {
        const page = await connected("recvonly", transport);
        const connection_id = await page.connectionId();
        for (let at = 0; at < 500; at += 1) {
          const body = { channel_id: "sora", connection_id, data: { at } };
          await call("Sora_20160711.PushConnection", body);
        }
        const seen: unknown[] = [];
        while (seen.length < 500) seen.push((await page.until("push")).slice(1));
        expect(seen).toEqual(Array.from({ length: 500 }, (_, at) => [{ at }, carries(transport)]));
      },
      TIMEOUT_MS,
    );

    test.skipIf(!SOAK)(
      "an error of the server's is told once, with its code",
      async () => {
        const page = await connected("recvonly", transport);
        const connection = await page.connectionId();
        await server.hub.disconnect({ connection }, { disconnect: "too_many_requests" });
        // Any `close` message is a normal end to the SDK.
        const [type, title] =
          transport === "datachannel" ? ["normal", "SHUTDOWN"] : ["abend", "WEBSOCKET-ONCLOSE"];
        const end = ["disconnect", type, title, 4490, "TOO-MANY-MESSAGES"];
        expect(await page.until("disconnect")).toEqual(end as never);
        const ends = (await page.events()).filter(([name]) => name === "disconnect");
        expect(ends).toHaveLength(1);
      },
      TIMEOUT_MS,
    );

    test(
      "the API ends it",
      async () => {
        const page = await connected("recvonly", transport);
        const connection_id = await page.connectionId();
        await call("Sora_20151104.DisconnectConnection", { channel_id: "sora", connection_id });
        const end = ["disconnect", "normal", "SHUTDOWN", 1000, "DISCONNECTED-API"];
        expect(await page.until("disconnect")).toEqual(end as never);
        const ends = (await page.events()).filter(([name]) => name === "disconnect");
        expect(ends).toHaveLength(1);
      },
      TIMEOUT_MS,
    );
  });

  test(
    "#labels carry messages from one page to another",
    async () => {
      const dataChannels = [{ label: "#spam", direction: "sendrecv" }];
      const [one, two] = [
        await connected("messaging", "hybrid", { dataChannels }),
        await connected("messaging", "datachannel", { dataChannels }),
      ];
      for (const page of [one, two]) {
        expect(await page.events()).toContainEqual(["datachannel", "#spam"]);
      }
      await one.sendMessage("#spam", "Grüße");
      expect(await two.until("message")).toEqual(["message", "#spam", "Grüße"]);
      await two.sendMessage("#spam", "");
      expect(await one.until("message")).toEqual(["message", "#spam", ""]);
      expect((await one.events()).filter(([name]) => name === "message")).toHaveLength(1);
    },
    TIMEOUT_MS,
  );

  /** The last says nothing: a page that is gone with its WebSocket closed before is found by the consent that ICE asks for (RFC 7675). */
  const GONE = ["websocket", "hybrid", "datachannel"] as const;

  test.skipIf(!SOAK).each(GONE)(
    "a page that goes away is noticed: %s",
    async (transport) => {
      const witness = await connected("recvonly", "websocket");
      const { page } = await connected("recvonly", transport);
      await page.close();
      let event: unknown;
      while (event !== "connection.destroyed") event = (await witness.until("notify"))[1];
    },
    60_000,
  );

  test.skipIf(!SOAK)(
    "more pushes than a page's DataChannel takes at once wait for it, and none is lost",
    async () => {
      const page = await connected("recvonly", "datachannel", { dataChannels: [] });
      const connection_id = await page.connectionId();
      // Incompressible: 40 of them are eight times what SCTP takes.
      const texts = Array.from({ length: 40 }, (_, at) => {
        const bytes = new Uint8Array(40_000).map(
          (_value, byte) => Math.imul(byte + 1, at * 2_654_435 + 40_503) >>> 13,
        );
        return `${at}:${Buffer.from(bytes).toString("base64")}`;
      });
      await Promise.all(
        texts.map((text) =>
          call("Sora_20160711.PushConnection", {
            channel_id: "sora",
            connection_id,
            data: { text },
          }),
        ),
      );
      const seen = new Set<unknown>();
      while (seen.size < texts.length) {
        const [, data] = await page.until("push");
        seen.add((data as { text: string }).text);
      }
      expect(seen).toEqual(new Set(texts));
    },
    TIMEOUT_MS,
  );
});

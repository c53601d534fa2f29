/** The unmodified `sora-js-sdk` in a real browser: what a page does with it, and what it is told. */
import { afterAll, beforeAll } from "bun:test";
import { fileURLToPath } from "node:url";
import type { Page } from "playwright-core";
import { useBrowser } from "./browser.ts";

const SDK = fileURLToPath(import.meta.resolve("sora-js-sdk"));

export type SoraRole = "recvonly" | "sendonly" | "sendrecv" | "messaging";

/** What the SDK calls back, with what of it is compared. */
export type SoraEvent = readonly [name: string, ...about: unknown[]];

export interface SoraPage {
  readonly page: Page;
  /** Opens a connection and resolves as the SDK's `connect()` does. */
  connect(role: SoraRole, options?: Readonly<Record<string, unknown>>): Promise<void>;
  /** The next call back of this name, those before it dropped. */
  until(name: string): Promise<SoraEvent>;
  /** The SDK's `disconnect()`. */
  disconnect(): Promise<void>;
  connectionId(): Promise<string>;
  sendMessage(label: string, text: string): Promise<void>;
  /** All so far. */
  events(): Promise<readonly SoraEvent[]>;
}

// What the page runs: every call back is kept with what can be told of it, and waited for by its name.
const HTML = `<!doctype html><meta charset="utf-8"><script type="module">
import Sora from "/sora.js";
const events = [], waiting = [];
let taken = 0;
function told(...event) {
  events.push(event);
  for (const wake of waiting.splice(0)) wake();
}
window.until = async (name) => {
  for (;;) {
    while (taken < events.length) {
      const event = events[taken++];
      if (event[0] === name) return event;
    }
    await new Promise((resolve) => waiting.push(resolve));
  }
};
window.events = events;
window.open_ = async (url, role, options) => {
  const sora = Sora.connection(url);
  const create = { recvonly: "recvonly", sendonly: "sendonly", sendrecv: "sendrecv", messaging: "messaging" }[role];
  const connection = sora[create]("sora", null, options);
  window.connection = connection;
  connection.on("push", (message, transport) => told("push", message.data, transport));
  connection.on("notify", (message, transport) => told("notify", message.event_type, transport));
  connection.on("switched", (message) => told("switched", message.ignore_disconnect_websocket));
  connection.on("connected", () => told("connected"));
  connection.on("datachannel", (event) => told("datachannel", event.datachannel.label));
  connection.on("message", async (event) => told("message", event.label, new TextDecoder().decode(event.data)));
  connection.on("disconnect", ({ type, title, code, reason }) => told("disconnect", type, title, code, reason));
  if (role === "messaging" || role === "recvonly") return void (await connection.connect());
  const canvas = document.createElement("canvas");
  canvas.getContext("2d");
  await connection.connect(canvas.captureStream(5));
};
window.ready = true;
</script>`;

/** For the tests of one file. `signalingUrl` is asked when a page connects. */
export function useSoraBrowser(signalingUrl: () => string): { open(): Promise<SoraPage> } {
  const browser = useBrowser();
  let site: Bun.Server<undefined>;
  beforeAll(() => {
    site = Bun.serve({
      hostname: "127.0.0.1",
      port: 0,
      fetch({ url }) {
        if (new URL(url).pathname === "/sora.js") return new Response(Bun.file(SDK));
        return new Response(HTML, { headers: { "Content-Type": "text/html" } });
      },
    });
  });
  afterAll(() => site.stop(true));

  return {
    async open() {
      const { page } = await browser.open(site.url.href);
      await page.waitForFunction("window.ready");
      const call = (expression: string) => page.evaluate(expression);
      return {
        page,
        async connect(role, options = {}) {
          const given = [signalingUrl(), role, options].map((each) => JSON.stringify(each));
          await call(`open_(${given.join(", ")})`);
        },
        until: async (name) => (await call(`until("${name}")`)) as SoraEvent,
        disconnect: async () => void (await call("connection.disconnect()")),
        connectionId: async () => String(await call("connection.connectionId")),
        sendMessage: async (label, text) => {
          const bytes = `new TextEncoder().encode(${JSON.stringify(text)})`;
          await call(`connection.sendMessage("${label}", ${bytes})`);
        },
        events: async () => (await call("events")) as readonly SoraEvent[],
      };
    },
  };
}

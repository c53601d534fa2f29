/** The console in a real browser, and what an operator does there. The tests go on in one page. */
import { afterAll, afterEach, beforeAll, expect, test } from "bun:test";
import { adminClient } from "../support/admin.ts";
import { useBrowser } from "../support/browser.ts";
import { spawnServer, type ChildServer } from "../support/child-server.ts";
import { Console } from "../support/console.ts";
import { ORG } from "../support/events.ts";
import { gusherClient, type GusherClient } from "../support/gusher.ts";
import { connect as connectSubscriber } from "../support/messaging.ts";
import { connectRaw } from "../support/raw-websocket.ts";
import { connectClient, subscribed, type StreamingClient } from "../support/streaming.ts";
import { issueToken } from "../support/tasks-rpc.ts";
import { connectTask } from "../support/tasks-socket.ts";
import { hs256 } from "../support/tokens.ts";
import { startReceiver, status } from "../support/webhook-receiver.ts";

const TIMEOUT_MS = 30_000;
const EMOJI = "\u{1f514}".repeat(63);
const HOSTILE = [`<img src=x onerror="document.title=1">`, EMOJI, "__proto__", "\u202eltr\u0007"];
/** As it is shown. */
const shown = (name: string) =>
  name.replace("\u202e", String.raw`\u202e`).replace("\u0007", String.raw`\u0007`);

const browser = useBrowser({ keepsPages: true });
let server: ChildServer;
let console: Console;
let streaming: StreamingClient;
let hostile: readonly GusherClient[];

beforeAll(async () => {
  server = await spawnServer();
  streaming = await connectClient(server, { sub: "ada" });
  await subscribed(streaming, "public:news");
  hostile = await Promise.all(HOSTILE.map((name) => gusherIn(name, name)));
  await browser.open(`${server.apiUrl}/admin`, async (page) => {
    console = new Console(page);
    await page.setViewportSize({ width: 1280, height: 900 });
  });
}, TIMEOUT_MS);
afterAll(async () => {
  for (const client of [streaming, ...hostile]) client[Symbol.dispose]();
  await server[Symbol.asyncDispose]();
});
afterEach(() => {
  expect(console.troubles.splice(0)).toEqual([]);
});

async function gusherIn(user: string, channel: string): Promise<GusherClient> {
  const claims = { channels: ["*"], user_id: user, app_key: "dev", remotes: {} };
  const body = new URLSearchParams({ jwt: hs256({ gusher: claims }) });
  const login = await fetch(`${server.clientsUrl}/gusher/auth`, { method: "POST", body });
  const { token } = (await login.json()) as { token: string };
  const url = `${server.clientsUrl.replace("http", "ws")}/gusher/ws/dev?token=${token}`;
  const client = gusherClient(await connectRaw(url));
  await client.ask("gusher.subscribe", { channel });
  return client;
}

async function post(path: string, body: object): Promise<Record<string, unknown>> {
  const headers = { "X-API-Key": "dev-api-key", "Content-Type": "application/json" };
  const answer = await fetch(server.apiUrl + path, {
    ...{ method: "POST", headers, body: JSON.stringify(body) },
  });
  return (await answer.json()) as Record<string, unknown>;
}

test(
  "nodes are shown with charts that live",
  async () => {
    const node = console.page.getByRole("region", { name: /^Node / });
    await console.says(/5 connections of 5 users, 5 channels/, node);

    expect(await node.locator("svg").count()).toBe(8);
    const first = await node.locator("polyline").first().getAttribute("points");
    const later = node.locator(`figure:first-child polyline:not([points="${first}"])`);
    // A line that does not rise has no height.
    await later.waitFor({ state: "attached" });
    await console.picture("console-nodes");
  },
  TIMEOUT_MS,
);

test(
  "a channel is found, shown, pushed to, and its subscribers kicked",
  async () => {
    await console.part("Channels");
    await console.fill("Channel", "public:");
    await console.says("streaming 1", console.row("Channels", "public:news"));
    await console.choose("Find by", "pattern");
    await console.fill("Channel", "(?=x)");
    await console.says(/pattern/i, console.page.locator(".bad"));
    console.troubles.length = 0;
    await console.fill("Channel", "news$");
    await console.link("public:news");
    await console.says("ada", console.row("Connections", streaming.id));
    await console.says("ada", console.row("Presence", streaming.id));
    await console.link("Push to it");
    await console.fill("Payload, as JSON", '{"n":1');
    await console.says("The payload is not JSON");
    await console.fill("Payload, as JSON", '{"n":1}');
    await console.page.getByRole("button", { name: "Push", exact: true }).click();
    await console.says("It matched 1");
    await console.says("streaming 1, at offset 1");
    expect(await streaming.next()).toHaveProperty("push.pub.data", { n: 1 });
    await console.picture("console-push");
    await console.page.goBack();
    await console.says('{"n":1}', console.table("History"));
    await console.picture("console-channel");
    await console.kick("Kick everybody in it");
    await console.says("1 ended");
    expect((await streaming.closed()).code).toBe(3503);
  },
  TIMEOUT_MS,
);

test(
  "users are searched, and their connections ended",
  async () => {
    await console.part("Connections");
    await console.fill("User begins with", "__pro");
    const row = console.row("Connections", "__proto__");
    await row.waitFor();
    await console.says("1 in all");
    expect(await console.table("Connections").locator("tbody tr").count()).toBe(1);
    await console.kick("Kick all of the user’s connections", row);
    await console.says("1 ended", row);
    await hostile[2]?.ended();
    await console.page.getByRole("button", { name: "Refresh" }).click();
    await console.says("No connection is like that");
  },
  TIMEOUT_MS,
);

test(
  "names are text, whatever they are",
  async () => {
    await console.part("Channels");
    for (const name of HOSTILE.filter((each) => each !== "__proto__")) {
      await console.part("Channels");
      await console.link(shown(name));
      await console.says(shown(name), console.page.getByRole("heading", { level: 2 }));
      await console.says(shown(name), console.table("Connections"));
      await console.picture(`console-hostile-${HOSTILE.indexOf(name)}`);
    }
    expect(await console.page.title()).toBe("Carillon console");
    expect(await console.page.locator("main img, main script").count()).toBe(0);
  },
  TIMEOUT_MS,
);

test(
  "refusals say why",
  async () => {
    using client = await connectClient(server, { sub: "bea" });
    await client.ask({ subscribe: { channel: "nowhere:a" } });
    await console.part("Refusals");
    await console.choose("Dialect", "streaming");
    await console.says("Command refused", console.row("Refusals, the newest first", client.id));
    await console.picture("console-refusals");
  },
  TIMEOUT_MS,
);

test(
  "a task is shown with the sockets that wait for it",
  async () => {
    const { taskId, clientToken } = await issueToken(server);
    using socket = await connectTask(server, clientToken);
    await socket.next();
    await console.part("Tasks");
    await console.link(taskId);
    await console.says("tasks", console.row("Connections", taskId));
    await console.kick("Kick all sockets that wait for it");
    await console.says("1 ended");
    await socket.ended;
  },
  TIMEOUT_MS,
);

test(
  "an endpoint's attempts and dead letters are shown, and sent again",
  async () => {
    await using target = await startReceiver({ answer: status(500) });
    await post(`/organisations/${ORG}/webhooks/endpoints`, {
      url: target.url,
      retry_schedule_s: [],
    });
    const event = { type: "shipment.updated", resource: "shipments", data: {} };
    await post("/events/publish", { ...event, organisation_id: ORG });
    await target.reached(1);
    const admin = await adminClient(server);
    while ((await admin.all("webhooks/dead-letters", { organisation: ORG })).length === 0);
    await console.part("Webhooks");
    await console.link(target.url);
    const letters = console.table("Dead letters");
    await console.says("exhausted, after 1 attempts", letters);
    await console.says("1: failed 500", console.table("Attempts"));
    await console.picture("console-webhooks");
    target.answer = status(204);
    await letters.getByRole("button", { name: /again$/ }).click();
    await console.says(/sent again|Sent again/, letters);
    await target.reached(2);
  },
  TIMEOUT_MS,
);

test(
  "subscribers and their tokens are shown, and their connections ended",
  async () => {
    using subscriber = await connectSubscriber(server, "12025550101");
    const { access_token: token } = await post(
      "/messaging/domains/dev/subscribers/12025550101/keys",
      { name: "<b>phone</b>" },
    );
    await console.part("Messaging");
    await console.link("12025550101");
    await console.says("<b>phone</b>", console.table("Tokens"));
    expect(await console.page.content()).not.toContain(String(token));
    await console.says("messaging", console.table("Connections"));
    await console.kick("Kick all connections");
    await console.says("1 ended");
    await subscriber.closed;
  },
  TIMEOUT_MS,
);

test.each([
  ["light", 1280],
  ["dark", 375],
] as const)(
  "%s and %i pixels wide, nothing keeps anybody out",
  async (colorScheme, width) => {
    const { page } = console;
    await page.emulateMedia({ colorScheme });
    await page.setViewportSize({ width, height: 900 });
    for (const part of ["Nodes", "Channels", "Connections", "Push", "Refusals", "Webhooks"]) {
      await console.part(part);
      await page.locator("main :visible").first().waitFor();
      expect([part, await console.findings()]).toEqual([part, []]);
      const across = await page.evaluate("document.documentElement.scrollWidth");
      expect([part, across]).toEqual([part, width]);
      if (part === "Connections") await console.picture(`console-${colorScheme}-${width}`);
    }
  },
  TIMEOUT_MS,
);

test(
  "it is used without a mouse, and asks nobody else for anything",
  async () => {
    const { page } = console;
    await page.setViewportSize({ width: 1280, height: 900 });
    await console.part("Push");
    const focused = () =>
      page.evaluate("document.activeElement.textContent || document.activeElement.value");
    await page.getByLabel("Its name").focus();
    await page.keyboard.type("public:keys");
    while ((await focused()) !== "Push") await page.keyboard.press("Tab");
    await page.keyboard.press("Enter");
    await console.says("It matched 0");
    expect(new Set(console.asked.map(({ host }) => host))).toEqual(
      new Set([new URL(server.apiUrl).host]),
    );
  },
  TIMEOUT_MS,
);

test(
  "where the calls need a key, it is asked for, and a wrong one is told so",
  async () => {
    await using locked = await spawnServer({ config: { api: { port: 0, on_clients: true } } });
    const { page } = await browser.open(`${locked.apiUrl}/admin`);
    const key = page.getByLabel("API key");
    const show = page.getByRole("button", { name: "Show the console" });
    await key.fill("wrong");
    await show.click();
    await page.getByText(/not known/).waitFor();
    await key.fill("dev-api-key");
    await show.click();
    await page.getByRole("region", { name: /^Node / }).waitFor();
    // Another visitor has to say it as well.
    const other = await browser.open(`${locked.apiUrl}/admin`);
    await other.page.getByLabel("API key").waitFor();
  },
  TIMEOUT_MS,
);

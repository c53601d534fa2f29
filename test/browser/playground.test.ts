/** The playground: each protocol's own client in a real browser, and what one does there. The tests go on in one page. */
import { afterEach, beforeAll, expect, test } from "bun:test";
import { PANES, usePlayground, type PaneName, type Playground } from "../support/playground.ts";

const used = usePlayground();
const CHANNEL_PANES: readonly PaneName[] = ["streaming", "messaging", "gusher", "sora"];
const RECOVERING_PANES: readonly PaneName[] = ["streaming", "messaging"];
const TIMEOUT_MS = 30_000;

let playground: Playground;
beforeAll(() => {
  playground = used.page;
});
afterEach(() => {
  expect(playground.troubles.splice(0)).toEqual([]);
});

test(
  "two panes chat as soon as the page opens, and the others' clients are loaded with their panes",
  async () => {
    await playground.hears("streaming", "Hello from clients/messaging");
    await playground.hears("messaging", "Hello from centrifuge");
    await playground.say("streaming", "How are you?");
    await playground.hears("messaging", "How are you?");
    await playground.say("messaging", "Well");
    await playground.hears("streaming", "Well");

    const scripts = () =>
      playground.asked.filter(({ pathname }) => pathname.endsWith(".js")).length;
    const before = scripts();
    expect(await playground.pane("gusher").count()).toBe(0);
    await playground.button("gusher").click();
    await playground.hears("streaming", "Hello from @xpomelox/gusher");
    expect(scripts()).toBeGreaterThan(before);

    await playground.openAll();
    await playground.hears("gusher", "Hello from sora-js-sdk");
    await playground.hears("tasks", "Hello from clients/tasks");
    for (const name of CHANNEL_PANES) {
      await playground.say(name, `It is ${name}`);
      for (const other of CHANNEL_PANES) await playground.hears(other, `It is ${name}`);
    }
    // What the README's first push is.
    await used.server.api("publish", { channel: "public:news", data: { text: "News" } });
    for (const name of ["streaming", "gusher"] as const) await playground.hears(name, "News");
    const hosts = new Set(playground.asked.map(({ host }) => host));
    expect([...hosts]).toEqual([new URL(used.server.clientsUrl).host]);
  },
  TIMEOUT_MS,
);

test(
  "a push reaches whom it is for, and tells how many that were",
  async () => {
    const idOf = (name: PaneName) => playground.pane(name).locator(".connection").innerText();
    const pushes: readonly (readonly [kind: string, target: string, PaneName[]])[] = [
      ["channel", await playground.channel(), [...CHANNEL_PANES]],
      ["pattern", "^ch_", [...CHANNEL_PANES]],
      ["user", "ada", ["streaming", "gusher"]],
      ["user", "ben", ["messaging", "sora"]],
      ["role", "recvonly", ["sora"]],
      ["client", "ben", ["sora"]],
      ["connection", await idOf("streaming"), ["streaming"]],
      ["connection", await idOf("gusher"), ["gusher"]],
      ["connection", await idOf("sora"), ["sora"]],
      ["task", await idOf("tasks"), ["tasks"]],
    ];
    for (const [index, [kind, target, reached]] of pushes.entries()) {
      const text = `Push ${index}`;
      await playground.push(kind, JSON.stringify({ text }), target);
      for (const name of reached) await playground.hears(name, text);
      await playground.answered(/It matched \d+/);
      for (const name of reached) await playground.answered(`${name} 1`);
    }
    for (const name of PANES) {
      const heard = (await playground.said(name)).filter((text) => text.startsWith("Push "));
      const meant = pushes.flatMap(([, , reached], index) =>
        reached.includes(name) ? [`Push ${index}`] : [],
      );
      expect([name, heard]).toEqual([name, meant]);
    }
  },
  TIMEOUT_MS,
);

test(
  "the calls that are shown do the same in a terminal",
  async () => {
    for (const [kind, name] of [
      ["channel", "streaming"],
      ["pattern", "messaging"],
      ["user", "gusher"],
      ["role", "sora"],
      ["client", "sora"],
      ["connection", "streaming"],
      ["task", "tasks"],
    ] as const) {
      const text = `It's "${kind}" & $HOME`;
      await playground.aim(kind, JSON.stringify({ text }));
      const commands = await playground.page.locator(".curl pre").allTextContents();
      expect(commands).toHaveLength(kind === "task" ? 1 : 2);
      for (const [index, command] of commands.entries()) {
        expect(command).toStartWith("curl ");
        expect(command).toContain(`${used.server.apiUrl}/`);
        const heard = await playground.said(name);
        const ran = Bun.spawn(["sh", "-c", `${command} --silent --show-error --fail`], {
          stdout: "ignore",
        });
        expect([command, await ran.exited]).toEqual([command, 0]);
        const times = heard.filter((line) => line === text).length;
        expect(times).toBe(index);
        await playground.hears(name, text, index);
      }
    }
  },
  TIMEOUT_MS,
);

test(
  "what is not read waits, and comes in its order when it is read",
  async () => {
    for (const name of PANES) {
      // What browsers read of DataChannels, they read.
      const label = name === "sora" ? "Keep frames back" : "Stop reading";
      await playground.button(label, playground.pane(name)).click();
    }
    for (const text of ["one", "two"]) {
      await playground.push("channel", JSON.stringify({ text }));
      await playground.push("task", JSON.stringify({ text }));
    }
    for (const name of PANES) {
      const held = name === "sora" ? "kept back in this page" : "bytes wait on the server";
      await playground.pane(name).locator(".held").getByText(held).waitFor();
      expect(await playground.said(name)).not.toContain("one");
    }
    for (const name of PANES) await playground.button("Read on", playground.pane(name)).click();
    for (const name of PANES) {
      await playground.hears(name, "two");
      expect((await playground.said(name)).slice(-2)).toEqual(["one", "two"]);
      expect(await playground.pane(name).locator(".held").count()).toBe(0);
    }
  },
  TIMEOUT_MS,
);

test(
  "a client that does not read is given up by the server, is told so when it reads on, and gets what it missed",
  async () => {
    const pane = playground.pane("streaming");
    await playground.button("Stop reading", pane).click();
    await playground.button("Fill it up", pane).click();
    await playground.noted(
      "streaming",
      "The server has given the connection up: read on to see how",
    );
    await playground.push("channel", '{"text":"behind the backlog"}');
    expect(await playground.said("streaming")).not.toContain("Filling up, 1");
    await playground.button("Read on", pane).click();
    await playground.hears("streaming", "Filling up, 1");
    await playground.noted("streaming", "Connection lost: 3008 slow");
    await playground.inTime(playground.hears("streaming", "behind the backlog"));
    await playground.noted("streaming", "All that was missed follows");
    // Those who read notice nothing.
    for (const name of CHANNEL_PANES) await playground.hears(name, "behind the backlog");
    const said = await playground.said("gusher");
    expect(said.filter((text) => text.startsWith("Filling up"))).toEqual([]);
  },
  TIMEOUT_MS,
);

test(
  "a cut network brings nothing, and what was missed once it is back, with its positions",
  async () => {
    for (const name of PANES) {
      await playground.button("Cut the network for 5 s", playground.pane(name)).click();
      await playground.noted(name, "The network is cut for 5 seconds");
    }
    await playground.push("channel", '{"text":"missed"}');
    await playground.answered('"offset"');
    const answer = await playground.page.locator(".answer").innerText();
    const [, offset] = /"offset":(\d+)/.exec(answer) ?? [];
    for (const name of PANES) expect(await playground.said(name)).not.toContain("missed");
    for (const name of PANES) {
      await playground.inTime(playground.noted(name, "The network is back"));
      await playground.inTime(playground.connected(name));
    }
    for (const name of RECOVERING_PANES) {
      await playground.inTime(playground.hears(name, "missed"));
    }
    await playground.noted("streaming", "All that was missed follows");
    const position = playground.pane("streaming").locator(".position");
    await position.getByText(`#${offset}`).last().waitFor();
    // What browsers say of each try.
    const tries = playground.troubles.splice(0);
    expect(tries.filter((line) => !line.includes("WebSocket connection to"))).toEqual([]);
  },
  TIMEOUT_MS,
);

test(
  "a client reconnects when it is told to",
  async () => {
    for (const name of PANES) {
      await playground.button("Reconnect", playground.pane(name)).click();
      await playground.noted(name, "Reconnecting");
      await playground.inTime(playground.connected(name));
    }
    await playground.push("channel", '{"text":"reconnected"}');
    for (const name of CHANNEL_PANES) await playground.hears(name, "reconnected");
  },
  TIMEOUT_MS,
);

test(
  "clients come back behind a restart of the server, with what they missed",
  async () => {
    const { server } = used;
    await playground.button("Restart the server").click();
    await playground.inTime(playground.page.getByText("It is back, restart 1").waitFor());
    expect(server.logged.filter(({ msg }) => msg === "Ready")).toHaveLength(2);
    const channel = await playground.channel();
    await server.api("publish", { channel, data: { text: "behind the restart" } });
    for (const name of PANES) await playground.inTime(playground.connected(name));
    for (const name of RECOVERING_PANES) await playground.hears(name, "behind the restart");
    await playground.push("channel", '{"text":"again"}');
    for (const name of CHANNEL_PANES) await playground.hears(name, "again");
    playground.troubles.splice(0);
  },
  TIMEOUT_MS,
);

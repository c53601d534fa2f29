/** The panes that there are, and how one comes to life: its client's code is loaded only then. */
import { signal } from "@preact/signals";
import { tapNetwork } from "./network.ts";
import { Pane, type PaneAbout } from "./pane.ts";
import type { Settings } from "./server.ts";
import { createSharedChannel, type OpenClient, type Surroundings } from "./surroundings.ts";

const CLIENTS: Readonly<Record<string, () => Promise<{ readonly open: OpenClient }>>> = {
  streaming: () => import("./clients/streaming.ts"),
  gusher: () => import("./clients/gusher.ts"),
  messaging: () => import("./clients/messaging.ts"),
  sora: () => import("./clients/sora.ts"),
  tasks: () => import("./clients/tasks.ts"),
};

/** The first two are there when the page opens: their clients speak to the channel themselves. */
const ABOUT: readonly PaneAbout[] = [
  {
    dialect: "streaming",
    title: "Streaming",
    library: "centrifuge",
    user: "ada",
    saying: "it publishes what you write",
  },
  {
    dialect: "messaging",
    title: "Messaging",
    library: "clients/messaging over sockjs-client",
    user: "ben",
    saying: "it sends what you write",
  },
  {
    dialect: "gusher",
    title: "gusher",
    library: "@xpomelox/gusher",
    user: "ada",
    saying: "it only listens: a backend pushes what you write",
  },
  {
    dialect: "sora",
    title: "Sora",
    library: "sora-js-sdk, a real DataChannel",
    user: "ben",
    saying: "it only listens: a backend pushes what you write",
  },
  {
    dialect: "tasks",
    title: "Tasks",
    library: "clients/tasks",
    user: "",
    saying: "it waits for a task: what you write is its result",
  },
];
const OPEN_AT_FIRST: readonly string[] = ["streaming", "messaging"];

export class Panes {
  readonly all: readonly Pane[];
  readonly opened = signal<readonly Pane[]>([]);
  readonly settings: Settings;
  readonly #surroundings: Surroundings;
  readonly #starting = new Set<Pane>();

  constructor(settings: Settings) {
    this.settings = settings;
    const served = settings.sockets.map(({ dialect }) => dialect);
    this.all = ABOUT.filter(({ dialect }) => served.includes(dialect)).map(
      (about) => new Pane(settings.app, about),
    );
    this.#surroundings = { settings, channel: createSharedChannel(settings) };
    tapNetwork({
      wireAt: ({ pathname }) => this.#paneAt(pathname)?.wire,
      peerWire: () => this.find("sora")?.wire,
    });
  }

  get channel(): Promise<string> {
    return this.#surroundings.channel.name;
  }

  find(dialect: string): Pane | undefined {
    return this.all.find(({ about }) => about.dialect === dialect);
  }

  openFirst(): void {
    for (const pane of this.all) {
      if (OPEN_AT_FIRST.includes(pane.about.dialect)) void this.open(pane);
    }
  }

  async open(pane: Pane): Promise<void> {
    if (this.opened.value.includes(pane)) return;
    this.opened.value = [...this.opened.value, pane];
    await this.#start(pane);
  }

  /** One that could not start is started anew. */
  reconnect(pane: Pane): void {
    if (pane.client === undefined) void this.#start(pane);
    else pane.reconnect();
  }

  async #start(pane: Pane): Promise<void> {
    const load = CLIENTS[pane.about.dialect];
    if (load === undefined || this.#starting.has(pane)) return;
    this.#starting.add(pane);
    pane.became("connecting");
    try {
      const { open } = await load();
      pane.client = await open(pane, this.#surroundings);
      await pane.say(`Hello from ${pane.about.library.split(/[ ,]/, 1)[0]}`);
    } catch (error) {
      pane.became("closed", error instanceof Error ? error.message : String(error));
    }
    this.#starting.delete(pane);
  }

  close(pane: Pane): void {
    pane.client?.close();
    pane.client = undefined;
    if (pane.isHolding.value) pane.toggleReading();
    pane.became("closed");
    this.opened.value = this.opened.value.filter((other) => other !== pane);
  }

  /** By the beginning of its path, the longest: tasks' clients connect to `/`. */
  #paneAt(path: string): Pane | undefined {
    const [found] = this.settings.sockets
      .filter((socket) => path === socket.path || path.startsWith(`${socket.path}/`))
      .toSorted((one, other) => other.path.length - one.path.length);
    return found && this.find(found.dialect);
  }
}

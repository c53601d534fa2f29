/** One pane: what it shows of its client, and what can be done to it. */
import { signal } from "@preact/signals";
import { Backlog } from "./backlog.ts";
import { shorten, textOfFrame } from "./frame-text.ts";
import { heardOf, type Heard } from "./heard.ts";
import { positionsOf } from "./positions.ts";
import { canStopReading } from "./stream-socket.ts";
import { Wire, type WireFrame } from "./wire.ts";

export interface Frame {
  readonly id: number;
  readonly direction: "in" | "out";
  readonly label: string | undefined;
  readonly text: string;
  /** `""`: the protocol says none in it. */
  readonly positions: string;
}

export interface Line extends Heard {
  readonly id: number;
  /** About the connection; else somebody said it. */
  readonly note?: true;
}

export type State = "connecting" | "open" | "closed";

/** What runs in a pane. */
export interface Client {
  /** To the channel: by the protocol where its clients may, else as a backend would. */
  say(text: string): Promise<unknown>;
  reconnect(): void;
  close(): void;
}

export interface PaneAbout {
  readonly dialect: string;
  readonly title: string;
  /** Whose client it is: a package of npm, or a file of this project. */
  readonly library: string;
  /** The user that its client is. `""`: its protocol knows none. */
  readonly user: string;
  /** How what is written here gets to the channel. */
  readonly saying: string;
}

/** Of each kind: what is older goes. */
const LINES_MAX = 200;
export const CUT_SECONDS = 5;

export class Pane {
  readonly about: PaneAbout;
  readonly state = signal<State>("closed");
  /** Why, or what else is to be known of the connection. */
  readonly detail = signal("");
  readonly connectionId = signal("");
  readonly frames = signal<readonly Frame[]>([]);
  readonly lines = signal<readonly Line[]>([]);
  readonly isHolding = signal(false);
  readonly heldFrames = signal(0);
  /** Else the browser reads on, and frames are kept back in the page. */
  readonly isStoppable = signal(canStopReading);
  /** 0: the network is there. */
  readonly cutSeconds = signal(0);
  readonly wire = new Wire({
    onFrame: (frame) => this.#keep(frame),
    onHeld: (count) => (this.heldFrames.value = count),
    onStoppable: (stoppable) => (this.isStoppable.value = stoppable),
    onEnd: (end) => this.onEnd(end),
  });
  readonly backlog: Backlog;
  client: Client | undefined;
  /** For a client that does not tell when a connection ends. */
  onEnd: (end: CloseEvent) => void = () => {};
  #ids = 0;
  /** Frames are shown in their order, also where one has to be unpacked. */
  #shown: Promise<void> = Promise.resolve();

  constructor(app: string, about: PaneAbout) {
    this.about = about;
    this.backlog = new Backlog({ app, dialect: about.dialect, user: about.user });
  }

  became(state: State, detail = ""): void {
    this.state.value = state;
    this.detail.value = detail;
    if (state === "open") this.note("Connected");
    if (state === "closed") this.note(detail === "" ? "Closed" : `Closed: ${detail}`);
  }

  hear(data: unknown): void {
    const { from, text } = heardOf(data);
    this.#add({ from: shorten(from), text: shorten(text) });
  }

  note(text: string): void {
    this.#add({ from: "", text, note: true });
  }

  async say(text: string): Promise<void> {
    try {
      await this.client?.say(text);
    } catch (error) {
      this.note(`Not sent: ${error instanceof Error ? error.message : String(error)}`);
    }
  }

  cutNetwork(): void {
    this.wire.cut();
    this.note(`The network is cut for ${CUT_SECONDS} seconds`);
    this.cutSeconds.value = CUT_SECONDS;
    const timer = setInterval(() => {
      this.cutSeconds.value -= 1;
      if (this.cutSeconds.value > 0) return;
      clearInterval(timer);
      this.wire.mend();
      this.note("The network is back");
    }, 1000);
  }

  toggleReading(): void {
    this.isHolding.value = !this.isHolding.value;
    if (this.isHolding.value) {
      this.wire.hold();
      this.backlog.watch();
    } else {
      this.backlog.leave();
      this.wire.release();
    }
  }

  /** What a task is sent is limited to fewer messages than would fill a connection. */
  get canFillUp(): boolean {
    return this.isStoppable.value && this.about.dialect !== "tasks";
  }

  /** Sends to its client, which does not read, until the server gives it up. */
  async fillUp(): Promise<void> {
    try {
      if (await this.backlog.fill(this.connectionId.value))
        this.note("The server has given the connection up: read on to see how");
    } catch (error) {
      this.note(`Not sent: ${error instanceof Error ? error.message : String(error)}`);
    }
  }

  reconnect(): void {
    this.note("Reconnecting");
    this.became("connecting");
    this.client?.reconnect();
  }

  #add(line: Omit<Line, "id">): void {
    this.lines.value = [...this.lines.value, { ...line, id: (this.#ids += 1) }].slice(-LINES_MAX);
  }

  #keep({ direction, label, data }: WireFrame): void {
    const reading = textOfFrame(data);
    this.#shown = this.#shown.then(async () => {
      const text = await reading;
      const positions = positionsOf(this.about.dialect, text);
      const frame = { id: (this.#ids += 1), direction, label, text, positions };
      this.frames.value = [...this.frames.value, frame].slice(-LINES_MAX);
    });
  }
}

/**
 * Stands between one pane's client and the browser's sockets, without the client's knowing: tells each frame, and can break the
 * connection or stop reading from it. Of a socket that cannot stop, it keeps back what arrives.
 */

export interface WireFrame {
  readonly direction: "in" | "out";
  /** Of a DataChannel, its label. */
  readonly label: string | undefined;
  readonly data: unknown;
}

export interface WireOptions {
  readonly onFrame: (frame: WireFrame) => void;
  /** How many frames are kept back. */
  readonly onHeld: (count: number) => void;
  /** Whether all that is open can stop reading. */
  readonly onStoppable: (stoppable: boolean) => void;
  /** A connection has ended, as the client is told; not one that the client itself left. */
  readonly onEnd: (end: CloseEvent) => void;
}

export interface Watched {
  /** As the network would end it. */
  readonly close: () => void;
  /** Absent: the browser reads, whatever is done about it. */
  readonly read?: ((reading: boolean) => void) | undefined;
  /** Of a DataChannel. */
  readonly label?: string;
}

interface Held {
  readonly target: EventTarget;
  readonly event: Event;
  readonly label: string | undefined;
}

/** Beyond it the connection breaks, as one that is not read does in the end. */
export const HELD_MAX = 10_000;

export class Wire {
  readonly #options: WireOptions;
  readonly #open = new Map<EventTarget, Watched>();
  /** Broken: what still comes of it is nobody's. */
  readonly #dead = new WeakSet<EventTarget>();
  readonly #left = new WeakSet<EventTarget>();
  /** Kept back before, and now given to the client. */
  readonly #given = new WeakSet<Event>();
  #held: Held[] = [];
  #holding = false;
  #isCut = false;

  constructor(options: WireOptions) {
    this.#options = options;
  }

  /** No connection can be made. */
  get isCut(): boolean {
    return this.#isCut;
  }

  /** To be called before the client listens. */
  watch(target: EventTarget, watched: Watched): void {
    this.#open.set(target, watched);
    for (const type of ["message", "close"]) {
      target.addEventListener(type, (event) => this.#arrived(target, event, watched));
    }
    if (this.#holding) watched.read?.(false);
    this.#tellStoppable();
  }

  sent(data: unknown, label?: string): void {
    this.#options.onFrame({ direction: "out", label, data });
  }

  /** The client ends the connection. */
  left(target: EventTarget): void {
    this.#left.add(target);
  }

  /** Breaks what is connected, and keeps what is not so until `mend`. */
  cut(): void {
    this.#isCut = true;
    this.#setHeld([]);
    for (const [target, { close }] of [...this.#open]) {
      this.#open.delete(target);
      this.#dead.add(target);
      close();
      this.#end(target, { code: 1006, wasClean: false });
    }
  }

  mend(): void {
    this.#isCut = false;
  }

  hold(): void {
    this.#holding = true;
    for (const { read } of this.#open.values()) read?.(false);
  }

  release(): void {
    this.#holding = false;
    for (const { read } of this.#open.values()) read?.(true);
    const held = this.#held;
    this.#setHeld([]);
    for (const { target, event, label } of held) {
      if (event instanceof MessageEvent) {
        this.#tell(event, label);
        this.#give(target, new MessageEvent("message", { data: event.data as unknown }));
      } else this.#end(target, event as CloseEvent);
    }
  }

  #arrived(target: EventTarget, event: Event, { read, label }: Watched): void {
    if (this.#given.has(event)) return;
    if (event.type === "close") {
      this.#open.delete(target);
      if (this.#open.size > 0) this.#tellStoppable();
    }
    if (this.#dead.has(target)) event.stopImmediatePropagation();
    else if (this.#holding && read === undefined) {
      event.stopImmediatePropagation();
      this.#held.push({ target, event, label });
      this.#options.onHeld(this.#held.length);
      if (this.#held.length > HELD_MAX) {
        this.cut();
        this.mend();
      }
    } else if (event instanceof MessageEvent) this.#tell(event, label);
    else if (event instanceof CloseEvent) this.#tellEnd(target, event);
  }

  #end(target: EventTarget, how: CloseEventInit): void {
    const end = new CloseEvent("close", how);
    this.#tellEnd(target, end);
    this.#give(target, end);
  }

  #tellEnd(target: EventTarget, end: CloseEvent): void {
    if (!this.#left.has(target)) this.#options.onEnd(end);
  }

  #tell({ data }: MessageEvent, label: string | undefined): void {
    this.#options.onFrame({ direction: "in", label, data });
  }

  #give(target: EventTarget, event: Event): void {
    this.#given.add(event);
    target.dispatchEvent(event);
  }

  #tellStoppable(): void {
    this.#options.onStoppable([...this.#open.values()].every(({ read }) => read !== undefined));
  }

  #setHeld(held: Held[]): void {
    this.#held = held;
    this.#options.onHeld(held.length);
  }
}

/** Changes that take effect once all frames to a connection are written: until then its backlog may come again (messaging.md §11.2, §11.4). */
import type { Timer } from "../../core/runtime.ts";
import type { Invitation, Report } from "./chat/contract.ts";
import type { Socket } from "../../transports/socket.ts";
import type { MessagingContext } from "./context.ts";

/** How often a slow peer's progress is checked, milliseconds. */
const WRITTEN_CHECK_MS = 1000;

/** The session that owes it. */
interface Owing {
  readonly context: MessagingContext;
  readonly socket: Pick<Socket, "writable">;
  /** The subscriber's id. */
  readonly userId: string;
  readonly over: boolean;
  aside(doing: string, work: Promise<unknown>): void;
}

/** Of one connection. */
export class OwedWhenWritten {
  readonly #session: Owing;
  readonly #owed = new Owed();
  #timer: Timer | undefined;

  constructor(session: Owing) {
    this.#session = session;
  }

  add(add: (owed: Owed) => void): void {
    add(this.#owed);
    this.#timer ??= this.#session.context.runtime.timers.after(0, () => this.#settle());
  }

  close(): void {
    this.#timer?.cancel();
  }

  #settle(): void {
    const { context, over, socket, userId } = this.#session;
    this.#timer = undefined;
    if (over || this.#owed.isEmpty) return;
    if (socket.writable) {
      const settled = this.#owed.settle(context, userId);
      return this.#session.aside("keeping deliveries", settled);
    }
    this.#timer = context.runtime.timers.after(WRITTEN_CHECK_MS, () => this.#settle());
  }
}

export class Owed {
  readonly #direct = new Map<string, number>();
  #invitations: Invitation[] = [];
  #reports: Report[] = [];

  get isEmpty(): boolean {
    return this.#direct.size + this.#invitations.length + this.#reports.length === 0;
  }

  /** Direct messages of the conversation with `other`, up to `sequence`. */
  direct(other: string, sequence: number): void {
    this.#direct.set(other, Math.max(sequence, this.#direct.get(other) ?? 0));
  }

  invitation(invitation: Invitation): void {
    this.#invitations.push(invitation);
  }

  report(report: Report): void {
    this.#reports.push(report);
  }

  async settle({ chat, telling }: MessagingContext, subscriber: string): Promise<void> {
    const direct = [...this.#direct];
    const [invitations, reports] = [this.#invitations, this.#reports];
    this.#direct.clear();
    this.#invitations = [];
    this.#reports = [];
    if (invitations.length > 0) await chat.invitations.told(invitations);
    if (reports.length > 0) await chat.receipts.reportsTold(reports);
    for (const [other, sequence] of direct) await telling.delivered(subscriber, other, sequence);
  }
}

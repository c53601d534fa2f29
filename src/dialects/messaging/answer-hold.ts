/** Holds a connection's socket while its messages are answered: nothing unsolicited passes an answer (messaging.md §6.2). */
import type { GroupMember } from "../../core/fanout.ts";
import type { Timers } from "../../core/runtime.ts";

/** Messages that are answered in one hold, since a hold takes the socket out of all its groups: held-back frames go out behind the last. */
const MESSAGES_PER_HOLD_MAX = 64;

export class AnswerHold {
  readonly #member: GroupMember;
  readonly #timers: Timers;
  #hold: { messages: number; busy: boolean } | undefined;

  constructor(member: GroupMember, timers: Timers) {
    this.#member = member;
    this.#timers = timers;
  }

  /** Something may be held back. */
  get held(): boolean {
    return this.#hold !== undefined;
  }

  /** A message is taken. */
  begin(): void {
    if (this.#hold === undefined) {
      this.#member.hold();
      this.#hold = { messages: 0, busy: true };
    }
    this.#hold.messages += 1;
    this.#hold.busy = true;
  }

  /** It is answered. What waits goes out, unless another message is there already. */
  end(): void {
    const hold = this.#hold;
    if (hold === undefined) return;
    hold.busy = false;
    if (hold.messages >= MESSAGES_PER_HOLD_MAX) return this.#release(hold);
    this.#timers.soon(() => {
      if (!hold.busy) this.#release(hold);
    });
  }

  #release(hold: object): void {
    if (this.#hold !== hold) return;
    this.#hold = undefined;
    this.#member.release();
  }
}

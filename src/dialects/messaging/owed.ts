/** What becomes true once all that a connection was sent is written: until then its backlog may come again (messaging.md §11.2, §11.4). */
import type { Invitation, Report } from "./chat/contract.ts";
import type { MessagingContext } from "./context.ts";

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

/**
 * Publications that one turn appends to a channel go out as one call: beside what a script costs here and at the server, one more
 * publication in it costs little. They differ in their text alone, so that what fails one of them fails all.
 */
import type { Sequence } from "./broker-messages.ts";
import type { Outlet } from "./broker-outlets.ts";
import type { RedisScript } from "./client/contract.ts";
import { readScript } from "./script-file.ts";

/** Publications of one call: the server does nothing else meanwhile. */
export const APPENDED_MAX = 100;
/** Characters of their text, if they are more than one. */
export const APPENDED_CHARACTERS_MAX = 65_536;

const APPEND: RedisScript = {
  name: "append",
  source: readScript("time") + readScript("stream") + readScript("append"),
};

/** What is answered for a publication. */
export type Appended = readonly [epoch: string, offset: number, hearing: number];

/** A call that is not sent yet. */
interface Call {
  readonly how: string;
  /** Behind `how`. */
  readonly args: string[];
  characters: number;
  /** The number of the message that was added last. */
  last: number;
  reply: Promise<unknown>;
}

export class Appends {
  readonly #unsent = new Map<Outlet, Call>();

  /**
   * `how`: the script's first argument. A message joins those of its turn if it has the number behind theirs: what else was sent to the
   * channel between them has taken one, and keeps its place.
   */
  add(outlet: Outlet, { number }: Sequence, how: string, message: string): Promise<Appended> {
    const call = this.#unsent.get(outlet);
    const joins =
      call?.how === how &&
      number === call.last + 1 &&
      call.args.length <= APPENDED_MAX &&
      call.characters + message.length <= APPENDED_CHARACTERS_MAX;
    if (call === undefined || !joins) return this.#begin(outlet, number, how, message);
    call.args.push(message);
    call.characters += message.length;
    call.last = number;
    const before = call.args.length - 2;
    return call.reply.then((reply) => {
      const [epoch, first, hearing] = reply as Appended;
      return [epoch, first + before, hearing];
    });
  }

  #begin(outlet: Outlet, number: number, how: string, message: string): Promise<Appended> {
    const { shard, metaKey, listKey } = outlet.place;
    const args = [how, message];
    let sent = false;
    const take = (): readonly string[] => {
      sent = true;
      if (this.#unsent.get(outlet)?.args === args) this.#unsent.delete(outlet);
      return args;
    };
    const reply = shard.run(APPEND, [metaKey, listKey], take) as Promise<Appended>;
    // Refused, it is never sent: what comes next is not to join it.
    if (!sent) {
      this.#unsent.set(outlet, { how, args, characters: message.length, last: number, reply });
      reply.catch(take);
    }
    return reply;
  }
}

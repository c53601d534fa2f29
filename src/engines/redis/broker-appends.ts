/**
 * Publications that one turn appends to a channel go out as one call: beside what a script costs here and at the server, one more
 * publication in it costs little. They differ in their text alone, so that what fails one of them fails all.
 */
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
  readonly outlet: Outlet;
  readonly how: string;
  /** Behind `how`. */
  readonly args: string[];
  characters: number;
  /** Where the message that was added last stands among all of this node. */
  last: number;
  reply: Promise<unknown>;
}

export class Appends {
  /** The one that others may join. */
  #unsent: Call | undefined;

  /**
   * `how`: the script's first argument. A message joins those of its turn if nothing else was sent between them, to whichever channel:
   * all keep their places. To be called right behind the outlet's `next`.
   */
  add(outlet: Outlet, how: string, message: string): Promise<Appended> {
    const call = this.#unsent;
    const joins =
      call?.outlet === outlet &&
      call.how === how &&
      outlet.sentByNode === call.last + 1 &&
      call.args.length <= APPENDED_MAX &&
      call.characters + message.length <= APPENDED_CHARACTERS_MAX;
    if (call === undefined || !joins) return this.#begin(outlet, how, message);
    call.args.push(message);
    call.characters += message.length;
    call.last += 1;
    const before = call.args.length - 2;
    return call.reply.then((reply) => {
      const [epoch, first, hearing] = reply as Appended;
      return [epoch, first + before, hearing];
    });
  }

  #begin(outlet: Outlet, how: string, message: string): Promise<Appended> {
    const { shard, metaKey, listKey } = outlet.place;
    const args = [how, message];
    let sent = false;
    const take = (): readonly string[] => {
      sent = true;
      if (this.#unsent?.args === args) this.#unsent = undefined;
      return args;
    };
    const last = outlet.sentByNode;
    const reply = shard.run(APPEND, [metaKey, listKey], take) as Promise<Appended>;
    // Refused, it is never sent: what comes next is not to join it.
    if (!sent) {
      this.#unsent = { outlet, how, args, characters: message.length, last, reply };
      reply.catch(take);
    }
    return reply;
  }
}

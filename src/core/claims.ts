/** Who has claimed which channels' names, and what of their histories is read through the claimer. */
import type { Broker } from "./engine.ts";
import type { Claim, Revise } from "./hub.ts";
import { CHANNELS, type Channel } from "./types.ts";

export interface Claimed {
  readonly claim: Claim;
  readonly revise?: Revise | undefined;
}

export class Claims {
  readonly #byPrefix = new Map<string, Claimed>();

  set(prefix: string, claimed: Claimed): void {
    this.#byPrefix.set(prefix, claimed);
  }

  on({ space, name }: Channel): Claimed | undefined {
    if (space !== CHANNELS) return undefined;
    for (const [prefix, claimed] of this.#byPrefix) if (name.startsWith(prefix)) return claimed;
    return undefined;
  }

  /** The broker as the hub reads it: engines append and trim, so what became of a publication is put into it as it is read. */
  readThrough(broker: Broker): Broker {
    return {
      lossless: broker.lossless,
      publish: (...given) => broker.publish(...given),
      announce: (...given) => broker.announce(...given),
      listen: (...given) => broker.listen(...given),
      unlisten: (...given) => broker.unlisten(...given),
      removeHistory: (channel) => broker.removeHistory(channel),
      history: (channel, ...query) => {
        const revise = this.on(channel)?.revise;
        const reading = broker.history(channel, ...query);
        return revise === undefined
          ? reading
          : reading.then(async (page) => {
              const { publications } = page;
              if (publications.length === 0) return page;
              return { ...page, publications: await revise(channel.name, publications) };
            });
      },
    };
  }
}

/** Who has claimed which channels' names, and what of their histories is read through the claimer. */
import type { Broker, HistoryPage } from "./engine.ts";
import type { Claim, Revise } from "./hub.ts";
import { CHANNELS, type Channel } from "./types.ts";

export interface Claimed {
  readonly claim: Claim;
  readonly revise?: Revise | undefined;
}

export class Claims {
  readonly #byPrefix = new Map<string, Claimed>();
  readonly #bySpace = new Map<string, Revise>();

  set(prefix: string, claimed: Claimed): void {
    this.#byPrefix.set(prefix, claimed);
  }

  setSpace(space: string, revise: Revise): void {
    this.#bySpace.set(space, revise);
  }

  /** Of a space of a dialect's own, for others than that dialect. */
  async revised(channel: Channel, page: HistoryPage): Promise<HistoryPage> {
    return revisedPage(this.#bySpace.get(channel.space), channel, page);
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
      publish: (channel, publication, options) => broker.publish(channel, publication, options),
      announce: (...given) => broker.announce(...given),
      listen: (...given) => broker.listen(...given),
      unlisten: (...given) => broker.unlisten(...given),
      removeHistory: (channel) => broker.removeHistory(channel),
      history: (channel, ...query) => {
        const revise = this.on(channel)?.revise;
        const reading = broker.history(channel, ...query);
        if (revise === undefined) return reading;
        return reading.then((page) => revisedPage(revise, channel, page));
      },
    };
  }
}

async function revisedPage(
  revise: Revise | undefined,
  { name }: Channel,
  page: HistoryPage,
): Promise<HistoryPage> {
  if (revise === undefined || page.publications.length === 0) return page;
  return { ...page, publications: await revise(name, page.publications) };
}

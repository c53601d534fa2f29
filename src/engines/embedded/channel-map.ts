/** A map by channel identity. Spaces are few and names are free text, so the two are never joined into one key. */
import type { Channel } from "../../core/types.ts";

export class ChannelMap<Value> {
  readonly #spaces = new Map<string, Map<string, Value>>();

  get(channel: Channel): Value | undefined {
    return this.#spaces.get(channel.space)?.get(channel.name);
  }

  set(channel: Channel, value: Value): void {
    const names = this.#spaces.get(channel.space);
    if (names === undefined) this.#spaces.set(channel.space, new Map([[channel.name, value]]));
    else names.set(channel.name, value);
  }

  delete(channel: Channel): void {
    this.#spaces.get(channel.space)?.delete(channel.name);
  }
}

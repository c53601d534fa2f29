/** Offers that follow the first (§2.6): one at a time, and one more behind it when another was wanted meanwhile. */
import type { Peer } from "../../transports/data-channels.ts";
import { InvalidMessage } from "./connect.ts";

export interface ReoffersOptions {
  readonly peer: Peer;
  /** Sends it. */
  readonly offered: (sdp: string) => void;
  readonly answered: () => void;
}

export class Reoffers {
  readonly #options: ReoffersOptions;
  #state: "none" | "one" | "another" = "none";

  constructor(options: ReoffersOptions) {
    this.#options = options;
  }

  async want(): Promise<void> {
    if (this.#state !== "none") {
      this.#state = "another";
      return;
    }
    this.#state = "one";
    this.#options.offered(await this.#options.peer.reoffer());
  }

  /** Throws InvalidMessage. */
  async answer(sdp: string): Promise<void> {
    if (this.#state === "none") throw new InvalidMessage("A re-answer without a re-offer");
    if (!(await this.#options.peer.answer(sdp)))
      throw new InvalidMessage("The SDP does not answer the re-offer");
    const again = this.#state === "another";
    this.#state = "none";
    this.#options.answered();
    if (again) await this.want();
  }
}

/** Ends connections whose token has ended, on every node (messaging.md §4.3). The records say so before: nothing new comes in. */
import type { Hub } from "../../../core/hub.ts";
import type { Target } from "../../../core/types.ts";
import { TELL_TIMES_MAX } from "../limits.ts";
import { labelOf, TOKEN_ENDED } from "./contract.ts";

export interface Ends {
  /** By its hash. */
  token(hash: string): Promise<void>;
  /** Every token of the subscriber. */
  subscriber(id: string): Promise<void>;
  /** Likewise, and it may not come back: it is not active any more, or deleted. */
  deactivated(id: string): Promise<void>;
}

export interface EndsOptions {
  readonly hub: Pick<Hub, "disconnect">;
  /** Once its connections were told. Its error is the caller's answer. */
  readonly onDeactivated?: (subscriber: string) => Promise<void>;
}

export function createEnds({ hub, onDeactivated }: EndsOptions): Ends {
  async function tell(target: Target): Promise<void> {
    for (let times = 0; times < TELL_TIMES_MAX; times++) {
      const { nodesAnswered, nodesAsked } = await hub.disconnect(target, TOKEN_ENDED);
      if (nodesAnswered === nodesAsked) return;
    }
  }
  const subscriber = (user: string) => tell({ user, reach: ["messaging"] });
  return {
    token: (hash) => tell({ label: labelOf({ token: hash }), reach: ["messaging"] }),
    subscriber,
    async deactivated(id) {
      await subscriber(id);
      await onDeactivated?.(id);
    },
  };
}

/** What the sessions and calls of one app share; they keep nothing that can be kept here. */
import type { Authority } from "../../core/authority.ts";
import type { Hub } from "../../core/hub.ts";
import type { StreamingConfig } from "./config.ts";
import type { Encoders } from "./encoders.ts";
import type { SessionServices } from "../dialect.ts";
import type { PublishLimit } from "../publish-limit.ts";

export interface StreamingContext extends SessionServices {
  readonly hub: Hub;
  readonly settings: StreamingConfig["streaming"];
  readonly channelBytesMax: number;
  readonly authority: Authority;
  readonly encoders: Encoders;
  readonly publishLimit: PublishLimit;
  /** Shown to clients. */
  readonly serverVersion: string;
}

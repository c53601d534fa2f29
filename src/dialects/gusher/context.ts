/** What the dialect's sessions and routes share. § numbers are gusher.md's. */
import type { Claims } from "../../auth/key-set.ts";
import type { Hub } from "../../core/hub.ts";
import type { JobQueue, Records, WorkerLists } from "../../core/engine.ts";
import type { SessionServices } from "../dialect.ts";
import type { PublishLimit } from "../publish-limit.ts";
import type { GusherConfig } from "./config.ts";

/** Claims of a verified grant (§4), with every default filled in. */
export interface GusherClaims {
  readonly channels: readonly string[];
  readonly userId: string;
  readonly appKey: string;
  readonly remotes: Readonly<Record<string, boolean>>;
}

/** One per app. The app's id is its `app_key`. */
export interface GusherContext extends SessionServices {
  readonly hub: Hub & { stats(): { readonly connections: number } };
  readonly settings: GusherConfig["gusher"];
  readonly channelBytesMax: number;
  readonly publishLimit: PublishLimit;
  /** Login tokens live here under `gusher/token/…`. */
  readonly records: Records;
  /** Remote jobs: one queue per `<app_key>@<remote>`. */
  readonly queue: JobQueue;
  /** Where they go in its place, when they are to be found as the original leaves them (§8, §9). */
  readonly jobLists?: WorkerLists;
  /** Verified registered and private claims of a JWT; throws HubError `invalid_token` or `token_expired`. */
  readonly verify: (jwt: string) => Promise<Claims>;
}

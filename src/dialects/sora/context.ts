/** The dialect's options, and the state that its sessions and routes share. § numbers are sora-push.md's. */
import type { PresenceStore, Records } from "../../core/engine.ts";
import type { OwnedHub } from "../../core/create-hub.ts";
import type { Peers } from "../../transports/data-channels.ts";
import type { SessionServices } from "../dialect.ts";
import type { PublishLimit } from "../publish-limit.ts";
import type { AskHook } from "./auth-hook.ts";
import type { SoraSettings } from "./config.ts";
import type { Rooms } from "./rooms.ts";
import type { Sessions } from "./sessions.ts";

/** One per app. */
export interface SoraContext extends SessionServices {
  readonly hub: OwnedHub;
  readonly publishLimit: PublishLimit;
  readonly settings: SoraSettings;
  readonly presence: PresenceStore;
  readonly records: Records;
  readonly rooms: Rooms;
  readonly sessions: Sessions;
  readonly peers: Peers;
  /** Absent: everybody may connect. */
  readonly askHook?: AskHook;
  /** §2.2: whether a `client_id` is a user without a hook. */
  readonly trustsClientIds: boolean;
  readonly allowsOrigin: (origin: string | null) => boolean;
}

/** What the dialect's sessions and routes of one app share. § numbers are task-tokens.md's. */
import type { Records } from "../../core/engine.ts";
import type { Hub } from "../../core/hub.ts";
import type { ClientTokens } from "./client-token.ts";
import type { TaskIds } from "./task-id.ts";
import type { TasksSettings } from "./config.ts";
import type { TaskSockets } from "./sockets.ts";
import type { TaskStore } from "./task-store.ts";
import type { SessionServices } from "../dialect.ts";
import type { PublishLimit } from "../publish-limit.ts";

/** What a session is told of the request that opened its socket. */
export interface SessionRequest {
  /** Of the `Origin` header; null without one. */
  readonly origin: string | null;
  /** The client's. */
  readonly address: string;
}

/** One per app. The app's id is its `public-id`. */
export interface TasksContext extends SessionServices {
  readonly publicId: string;
  readonly hub: Hub;
  readonly publishLimit: PublishLimit;
  readonly settings: TasksSettings;
  /** What the dialect keeps lies below `tasks/`. */
  readonly records: Records;
  readonly ids: TaskIds;
  /** Of all apps: a token that opens may be another app's. */
  readonly tokens: ClientTokens;
  readonly tasks: TaskStore;
  /** What the app's sessions on this node know of each other: `createTaskSockets()`. */
  readonly sockets: TaskSockets;
  /** §5.1; null: the client sent no `Origin`. */
  readonly allowsOrigin: (origin: string | null) => boolean;
}

/** What clients in panes are given beside their pane. */
import type { Settings } from "./server.ts";
import type { Client, Pane } from "./pane.ts";

export interface Surroundings {
  readonly settings: Settings;
  /** The one that all panes share. */
  readonly channel: SharedChannel;
}

/** Resolves once it is connected and in the channel, or with a client that goes on trying. */
export type OpenClient = (pane: Pane, surroundings: Surroundings) => Promise<Client>;

/** Where the README pushes: those whose clients can be in several channels are in it, too. */
export const NEWS = "public:news";

/** With messaging, a channel of messaging's: its own have names that it makes, and open ones are everybody's. */
export interface SharedChannel {
  readonly name: Promise<string>;
  found(name: string): void;
}

export function createSharedChannel({ sockets }: Settings): SharedChannel {
  const { promise: name, resolve: found } = Promise.withResolvers<string>();
  if (!sockets.some(({ dialect }) => dialect === "messaging")) found("playground");
  return { name, found };
}

/** Where the dialect's clients connect. */
export function socketUrl({ sockets }: Settings, dialect: string): string {
  const path = sockets.find((socket) => socket.dialect === dialect)?.path ?? "";
  return location.origin.replace(/^http/, "ws") + path;
}

/** Until a client that does not come back by itself is connected anew. */
export const RETRY_MS = 1000;

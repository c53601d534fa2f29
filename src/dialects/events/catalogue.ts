/** The resources that have events (event-streaming.md §3): configuration, the same for every app. */

export interface CatalogueEntry {
  /** The channels' namespace. */
  readonly name: string;
  readonly visibility: "private" | "public";
  /** Any one of them opens the namespace; the first is the one to ask for. Nothing to a public one. */
  readonly scopes: readonly string[];
  /** There is a channel for the whole organisation, `N:O`. */
  readonly organisationChannel: boolean;
  /** `N:O#U` is among the automatic channels. */
  readonly userChannel: boolean;
  /** A connection token opens the organisation's and the user's channel by itself. */
  readonly autoSubscribe: boolean;
  /** Channels may name up to ten users. */
  readonly multiUser: boolean;
  /** Channels may begin with `$`. */
  readonly privatePrefix: boolean;
  /** Milliseconds; 0: none is kept. */
  readonly historyTtlMs: number;
}

/** Where the server itself tells an organisation of its webhooks (webhooks.md §7.3): in every catalogue, shown in none. */
export const NOTICES_NAMESPACE = "webhooks";

/** By name. */
export type Catalogue = ReadonlyMap<string, CatalogueEntry>;

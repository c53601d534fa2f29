/** State and services that the dialect's parts share, for one app. */
import type { Hub } from "../../core/hub.ts";
import type { AppEngine } from "../../core/engine.ts";
import type { SessionServices } from "../dialect.ts";
import type { Bearers } from "./auth/bearers.ts";
import type { Gate } from "./auth/contract.ts";
import type { Ends } from "./auth/ends.ts";
import type { KeyStore } from "./auth/key-store.ts";
import type { SubscriberStore } from "./auth/subscriber-store.ts";
import type { Chat } from "./chat/contract.ts";
import type { ReadMessage } from "./client-messages.ts";
import type { Departures } from "./departures.ts";
import type { MessagingEncoder } from "./encoder.ts";
import type { Presence } from "./presence.ts";
import type { SessionSettings } from "./session-settings.ts";
import type { Telling } from "./telling.ts";

export interface MessagingContext extends SessionServices {
  /** The app's id, which is the domain. */
  readonly domain: string;
  readonly hub: Hub;
  readonly engine: AppEngine;
  readonly gate: Gate;
  readonly subscribers: SubscriberStore;
  readonly keys: KeyStore;
  readonly bearers: Bearers;
  readonly ends: Ends;
  readonly settings: SessionSettings;
  readonly chat: Chat;
  readonly presence: Presence;
  readonly telling: Telling;
  readonly readMessage: ReadMessage;
  readonly encoder: MessagingEncoder;
  readonly departures: Departures;
}

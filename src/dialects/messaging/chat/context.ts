/** State and services that the parts of the chat share. */
import type { Records } from "../../../core/engine.ts";
import type { Hub } from "../../../core/hub.ts";
import type { Runtime } from "../../../core/runtime.ts";
import { createChange, type Change } from "./change.ts";
import { createChannelRecords, type ChannelRecords } from "./channel-records.ts";
import type { ChatSettings } from "./settings.ts";

export interface ChatParts {
  readonly hub: Pick<
    Hub,
    "publish" | "history" | "removeHistory" | "claim" | "revise" | "namespaces"
  >;
  readonly records: Records;
  readonly runtime: Pick<Runtime, "clock" | "random">;
  readonly settings: ChatSettings;
  readonly subscribers: {
    /** Undefined: unknown. */
    find(id: string): Promise<{ readonly active: boolean } | undefined>;
  };
  /** Of work that nothing waits for, or whose failure changes no answer. */
  readonly onError: (error: unknown) => void;
}

export interface ChatContext extends ChatParts {
  readonly change: Change;
  readonly channelRecords: ChannelRecords;
}

export function createContext(parts: ChatParts): ChatContext {
  return {
    ...parts,
    change: createChange(parts.records),
    channelRecords: createChannelRecords(parts),
  };
}

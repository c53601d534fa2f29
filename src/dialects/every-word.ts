/** Every word by which log, metrics and wires tell of a refusal or an end: one union, from the tables that explain them. */
import type { EVENTS_WORDS } from "./events/words.ts";
import type { GUSHER_WORDS } from "./gusher/words.ts";
import type { MESSAGING_WORDS } from "./messaging/words.ts";
import type { SORA_WORDS } from "./sora/words.ts";
import type { STREAMING_WORDS } from "./streaming/words.ts";
import type { TASKS_WORDS } from "./tasks/words.ts";
import type { SharedWord } from "./words.ts";

/** A word that no table explains does not compile. Of a dialect in `list.ts` the table is to be added here. */
export type Word =
  | SharedWord
  | keyof typeof EVENTS_WORDS
  | keyof typeof GUSHER_WORDS
  | keyof typeof MESSAGING_WORDS
  | keyof typeof SORA_WORDS
  | keyof typeof STREAMING_WORDS
  | keyof typeof TASKS_WORDS;

/** What the dialect's wire shows for each word (event-streaming.md §4.4, webhooks.md §5). */
import { shownOf, type ErrorsPart } from "../shown.ts";
import { EVENTS_ERRORS } from "./errors.ts";
import { EVENTS_WORDS } from "./words.ts";

export const EVENTS_SHOWN: ErrorsPart = {
  words: EVENTS_WORDS,
  shown: shownOf("HTTP", EVENTS_ERRORS, (status, code) => ({ code, text: `${status}` })),
};

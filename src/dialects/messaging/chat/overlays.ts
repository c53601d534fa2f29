/** Overlays: a record for each message that was edited, deleted, displayed or read after it was published. */
import type { Records, StoredRecord } from "../../../core/engine.ts";
import { storedJson } from "../../../core/json-text.ts";
import type { Channel } from "../../../core/types.ts";
import { NO_ATTRIBUTES } from "./attributes.ts";
import {
  DELIVERY_STATUSES,
  type CurrentMessage,
  type DeliveryStatus,
  type Message,
} from "./contract.ts";
import { lastPart, overlayKey, overlaysKey } from "./keys.ts";
import { OVERLAY_MARGIN_MS, type ChatSettings } from "./settings.ts";

export interface Overlay {
  readonly edit?: {
    readonly content: string;
    readonly contentType: string;
    readonly attributes: string;
    readonly timeMs: number;
  };
  readonly deletedBy?: string;
  /** Of a direct message that its recipient's application has shown. */
  readonly status?: "displayed" | "read";
}

export type Overlays = ReadonlyMap<number, Overlay>;

export function overlayOf(record: StoredRecord | undefined): Overlay {
  return record === undefined ? {} : (JSON.parse(record.value) as Overlay);
}

/** Of the messages given, which are ascending. */
export async function overlaysOf(
  records: Pick<Records, "list">,
  channel: Channel,
  messages: readonly Pick<Message, "sequence">[],
): Promise<Overlays> {
  const [first, last] = [messages[0], messages.at(-1)];
  if (first === undefined || last === undefined) return new Map();
  const found = await records.list(overlaysKey(channel), {
    after: overlayKey(channel, first.sequence - 1),
    limit: last.sequence - first.sequence + 1,
  });
  return new Map(found.map((record) => [Number(lastPart(record.key)), overlayOf(record)]));
}

/** `deliveredUpTo`: of a direct message, its recipient's. */
export function currentMessage(
  message: Message,
  overlay: Overlay = {},
  deliveredUpTo?: number,
): CurrentMessage {
  const { edit, deletedBy } = overlay;
  const status =
    deliveredUpTo === undefined ? {} : { status: statusOf(message, overlay, deliveredUpTo) };
  if (deletedBy !== undefined) {
    return { ...message, content: "", attributes: NO_ATTRIBUTES, deletedBy, ...status };
  }
  if (edit === undefined) return { ...message, ...status };
  const { content, contentType, timeMs: editedMs } = edit;
  const attributes = storedJson(edit.attributes);
  return { ...message, content, contentType, attributes, editedMs, ...status };
}

export function statusOf(
  { sequence }: Pick<Message, "sequence">,
  { status }: Overlay,
  deliveredUpTo: number,
): DeliveryStatus {
  return status ?? (sequence <= deliveredUpTo ? "received" : "stored");
}

/** §11.10: forward only. */
export function isHigher(status: DeliveryStatus, than: DeliveryStatus): boolean {
  return DELIVERY_STATUSES.indexOf(status) > DELIVERY_STATUSES.indexOf(than);
}

/** How long a message's overlay is kept, milliseconds from now: as long as the message. */
export function overlayTtlMs(
  { timeMs }: Pick<Message, "timeMs">,
  { history_ttl: ttlMs }: ChatSettings,
  nowMs: number,
): number {
  return Math.max(timeMs + ttlMs - nowMs, 0) + OVERLAY_MARGIN_MS;
}

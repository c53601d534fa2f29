/**
 * How far messages have come (messaging.md §1.5, §7.4, §11.10): direct ones are received up to the recipient's cursor, and displayed or
 * read one by one. Every change of either puts the cursor at the version it was read at, so that no status is decided twice.
 * Reports to the sender are kept in the same step, until it was told: a receipt that was acknowledged reaches it in the end.
 */
import type { RecordChange } from "../../../core/engine.ts";
import { updateRecord } from "../../../core/update-record.ts";
import { Refusal } from "../errors.ts";
import type { Loaded, StoredMember } from "./channel-records.ts";
import type { Planned } from "./change.ts";
import type { ChatContext } from "./context.ts";
import type { Message, Receipts, Report } from "./contract.ts";
import type { Cursor, DirectRecords } from "./direct-records.ts";
import type { FoundMessage, History } from "./history.ts";
import { directChannel } from "./ids.ts";
import { inboxKey, memberKey, overlayKey, reportKey } from "./keys.ts";
import { isHigher, overlayOf, overlaysOf, overlayTtlMs, statusOf } from "./overlays.ts";

export type StoredReport = Omit<Report, "sender" | "version">;

/** Messages that enter `received` in one step: each is a record of it. */
const DELIVERED_PAGE = 200;

export function createReceipts(
  context: ChatContext,
  direct: DirectRecords,
  history: History,
): Receipts {
  const { hub, records, runtime, settings, change } = context;
  const { clock } = runtime;

  type NewReport = Omit<Report, "version">;

  function putReport({ sender, ...report }: NewReport, message: Message): RecordChange {
    const key = reportKey(sender, report.messageId);
    const ttlMs = overlayTtlMs(message, settings, clock.epochMs());
    return { key, put: JSON.stringify(report satisfies StoredReport), ttlMs };
  }

  /** Reports lead their plan's changes, so that their versions do. */
  function planned(
    reports: readonly { readonly report: NewReport; readonly message: Message }[],
    changes: readonly RecordChange[],
  ): Planned<readonly Report[]> {
    return {
      changes: [...reports.map(({ report, message }) => putReport(report, message)), ...changes],
      result: (versions) =>
        reports.map(({ report }, index) => ({ ...report, version: versions[index] ?? 0 })),
    };
  }

  function showDirect(
    caller: string,
    found: readonly FoundMessage[],
    status: "displayed" | "read",
  ): Promise<readonly Report[]> {
    return change(`receipts/${caller}`, async () => {
      const timeMs = clock.epochMs();
      const cursors = new Map<
        string,
        { channel: FoundMessage["channel"]; cursor: Loaded<Cursor> }
      >();
      for (const { channel } of found) {
        if (cursors.has(channel.name)) continue;
        cursors.set(channel.name, { channel, cursor: await direct.cursor(caller, channel) });
      }
      const shown = await Promise.all(
        found.map(async ({ channel, message }) => {
          const key = overlayKey(channel, message.sequence);
          const record = await records.get(key);
          const overlay = overlayOf(record);
          const known = cursors.get(channel.name);
          if (known === undefined || overlay.deletedBy !== undefined) return [];
          const { value } = known.cursor;
          if (!isHigher(status, statusOf(message, overlay, value.delivered))) return [];
          const read = status === "read" ? Math.max(value.read, message.sequence) : value.read;
          known.cursor = { ...known.cursor, value: { ...value, read } };
          const put: RecordChange = {
            key,
            put: JSON.stringify({ ...overlay, status }),
            ttlMs: overlayTtlMs(message, settings, timeMs),
            ifVersion: record?.version ?? 0,
          };
          const { from: sender, messageId } = message;
          return [{ put, message, report: { sender, messageId, status, by: caller, timeMs } }];
        }),
      );
      const all = shown.flat();
      if (all.length === 0) return { changes: [], result: [] };
      return planned(all, [
        ...all.map(({ put }) => put),
        ...[...cursors.values()].map(({ channel, cursor }) =>
          direct.putCursor(caller, channel, cursor),
        ),
      ]);
    });
  }

  /** Undefined: the subscriber is not a member, or was there already. */
  async function move(
    channelId: string,
    subscriber: string,
    position: (member: StoredMember) => Partial<StoredMember> | undefined,
  ): Promise<true | undefined> {
    return updateRecord(records, memberKey(channelId, subscriber), (record) => {
      const member = record && (JSON.parse(record.value) as StoredMember);
      const moved = member && position(member);
      if (moved === undefined) return { result: undefined };
      return { put: JSON.stringify({ ...member, ...moved }), result: true };
    });
  }

  async function readInChannel(caller: string, channelId: string, sequence: number) {
    const moved = await move(channelId, caller, ({ readSequence }) =>
      readSequence < sequence ? { readSequence: sequence } : undefined,
    );
    return moved === undefined ? [] : [{ channelId, sequence }];
  }

  /** The next page of deliveries; `done`: it is the last. */
  function deliver(subscriber: string, other: string, upTo: number) {
    const channel = directChannel(subscriber, other);
    return change(`receipts/${subscriber}`, async () => {
      const timeMs = clock.epochMs();
      // Before the conversation: a message that is published from here on puts the inbox at another version (`index`).
      const inbox = await records.get(inboxKey(subscriber) + channel.name);
      const [cursor, top] = await Promise.all([
        direct.cursor(subscriber, channel),
        hub.history(channel, { limit: 0 }).then(({ position }) => position.offset),
      ]);
      const after = cursor.value.delivered;
      const last = Math.min(upTo, top, after + DELIVERED_PAGE);
      const found = await history.read(channel, { after, limit: Math.max(0, last - after) });
      const messages = found.filter(({ sequence, to }) => sequence <= last && to === subscriber);
      const overlays = await overlaysOf(records, channel, messages);
      const received = messages.filter((message) => {
        const overlay = overlays.get(message.sequence) ?? {};
        return overlay.deletedBy === undefined && statusOf(message, overlay, after) === "stored";
      });
      const delivered = Math.max(after, last);
      const isEmpty = inbox !== undefined && delivered >= top;
      const moved: RecordChange[] =
        delivered > after
          ? [
              direct.putCursor(subscriber, channel, {
                ...cursor,
                value: { ...cursor.value, delivered },
              }),
            ]
          : [];
      const emptied: RecordChange[] = isEmpty
        ? [{ key: inbox.key, delete: true, ifVersion: inbox.version }]
        : [];
      const reports = received.map((message) => {
        const { from: sender, messageId } = message;
        const status = "received" as const;
        return { message, report: { sender, messageId, status, by: subscriber, timeMs } };
      });
      const { changes, result } = planned(reports, [...moved, ...emptied]);
      const done = delivered >= Math.min(upTo, top);
      return {
        changes,
        result: (versions: readonly number[]) => ({
          done,
          reports: typeof result === "function" ? result(versions) : result,
        }),
      };
    });
  }

  return {
    async receipt(caller, { messageIds, status }) {
      const ids = [...new Set(messageIds)];
      const found = await Promise.all(
        ids.map(async (id) => ({ id, found: await history.find(caller, id) })),
      );
      const direct: FoundMessage[] = [];
      const channels = new Map<string, number>();
      for (const { id, found: each } of found) {
        if (each === undefined) {
          throw new Refusal("not-found", "There is no such message", { field: id });
        }
        if (each === "unkept") continue;
        const { channelId, from, to, sequence } = each.message;
        if (channelId !== undefined) {
          channels.set(channelId, Math.max(channels.get(channelId) ?? 0, sequence));
        } else if (from !== caller && to === caller) {
          direct.push(each);
        } else {
          const reason = "Only the recipient of a direct message may report on it";
          throw new Refusal("invalid-field", reason, { field: id });
        }
      }
      const reports = direct.length === 0 ? [] : await showDirect(caller, direct, status);
      const positions =
        status === "read"
          ? await Promise.all(
              [...channels].map(([id, sequence]) => readInChannel(caller, id, sequence)),
            )
          : [];
      return { reports, positions: positions.flat() };
    },

    async deliveredUpTo(subscriber, other) {
      const channel = directChannel(subscriber, other);
      return (await direct.cursor(subscriber, channel)).value.delivered;
    },

    async delivered(subscriber, other, sequence) {
      const reports: Report[] = [];
      for (;;) {
        const page = await deliver(subscriber, other, sequence);
        reports.push(...page.reports);
        if (page.done) return reports;
      }
    },

    async reportsTold(reports) {
      for (let at = 0; at < reports.length; at += DELIVERED_PAGE) {
        const slice = reports.slice(at, at + DELIVERED_PAGE);
        // A higher status that came meanwhile is another version, and is kept.
        await Promise.all(
          slice.map(({ sender, messageId, version }) =>
            records.delete(reportKey(sender, messageId), { ifVersion: version }),
          ),
        );
      }
    },

    async deliveredInChannels(subscriber, sequences) {
      await Promise.all(
        [...sequences].map(([channelId, sequence]) =>
          move(channelId, subscriber, ({ deliveredSequence }) =>
            deliveredSequence < sequence ? { deliveredSequence: sequence } : undefined,
          ),
        ),
      );
    },
  };
}

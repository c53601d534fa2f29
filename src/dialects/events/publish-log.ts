/** What was published within a day (event-streaming.md §10.1): by it the same event is recognised and answered the same. */
import { createHash } from "node:crypto";
import { z } from "zod";
import type { Records } from "../../core/engine.ts";
import type { Answer } from "./call.ts";
import { EventsError } from "./errors.ts";

/** How long an event's id, or its idempotency key, is remembered. */
export const PUBLISH_LOG_TTL_MS = 86_400_000;

/** What a repetition has in common with the first call, even when that one came to no end. */
export interface PublishIdentity {
  readonly id: string;
  readonly messageId: string;
  readonly timestamp: string;
}

const entry = z.object({
  digest: z.string(),
  identity: z.object({ id: z.string(), messageId: z.string(), timestamp: z.string() }),
  answer: z.record(z.string(), z.unknown()).optional(),
});

export type Begun =
  | { readonly answer: Answer }
  | { readonly identity: PublishIdentity; readonly finish: (answer: Answer) => Promise<void> };

export interface PublishLog {
  /**
   * Before anything is sent. `repeatable`: the producer can name the event again, by its id or, when given, by `key`. The identity
   * is the first call's when that one did not finish: what it sent already is not sent again. Throws `idempotency_conflict`.
   */
  begin(
    identity: PublishIdentity,
    options: { readonly repeatable: boolean; readonly key: string | undefined },
  ): Promise<Begun>;
}

/** `digest` stands for all that the producer said of the event. */
export function createPublishLog(
  records: Records,
  organisationId: string,
  digest: string,
): PublishLog {
  const recordOf = (name: string) => `events/published/${organisationId}/${name}`;
  const put = (key: string, value: z.input<typeof entry>, ifVersion?: number) =>
    records.put(key, JSON.stringify(value), {
      ttlMs: PUBLISH_LOG_TTL_MS,
      ...(ifVersion === undefined ? {} : { ifVersion }),
    });

  return {
    async begin(identity, { repeatable, key }) {
      const name = key === undefined ? `id/${identity.id}` : `key/${hash(key)}`;
      const record = recordOf(name);
      const finish = (kept: PublishIdentity) => async (answer: Answer) => {
        await put(record, { digest, identity: kept, answer });
      };
      // Nobody knows a made-up id before the answer, so that nobody can be first with it.
      if (!repeatable) return { identity, finish: finish(identity) };
      for (;;) {
        if ((await put(record, { digest, identity }, 0)) !== undefined) {
          return { identity, finish: finish(identity) };
        }
        const found = await records.get(record);
        // It ran out meanwhile.
        if (found === undefined) continue;
        const first = entry.parse(JSON.parse(found.value));
        if (first.digest !== digest) {
          throw new EventsError("idempotency_conflict", "The same id was used for another event.");
        }
        if (first.answer !== undefined) return { answer: first.answer };
        return { identity: first.identity, finish: finish(first.identity) };
      }
    },
  };
}

function hash(key: string): string {
  return createHash("sha256").update(key).digest("base64url");
}

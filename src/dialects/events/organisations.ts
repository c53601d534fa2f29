/** Organisations and whether they are switched on (event-streaming.md §3, §6): one record each. */
import { z } from "zod";
import type { Records, StoredRecord } from "../../core/engine.ts";
import { ksuid } from "../../core/ksuid.ts";
import type { Runtime } from "../../core/runtime.ts";
import { updateRecord } from "../../core/update-record.ts";

/** What is known of an organisation that was provisioned at least once. */
export interface Organisation {
  readonly id: string;
  readonly status: "active" | "deprovisioned";
  /** Counts provisionings, from 1. Tokens of an earlier one are void. */
  readonly generation: number;
  /** `app_<ksuid>`, of this generation. */
  readonly applicationId: string;
  readonly provisionedAtMs: number;
  readonly deprovisionedAtMs?: number | undefined;
}

/** `changed`: this call did it. */
export interface Change {
  readonly organisation: Organisation;
  readonly changed: boolean;
}

/** All throw HubError `unavailable`. */
export interface Organisations {
  /** Undefined: never provisioned. */
  find(organisationId: string): Promise<Organisation | undefined>;
  /** In the order of their ids, those behind `after`. */
  list(query: {
    readonly limit: number;
    readonly after?: string;
  }): Promise<readonly Organisation[]>;
  /**
   * Makes it active, once: simultaneous calls, on any node, get the same answer. `mayChange` is asked before it is done, and
   * throws to prevent it.
   */
  provision(organisationId: string, mayChange?: () => void): Promise<Change>;
  /** Step 1 of §6.2: from here on nothing is issued or accepted. Undefined: never provisioned. */
  deprovision(organisationId: string, mayChange?: () => void): Promise<Change | undefined>;
}

const KEY_PREFIX = "events/org/";

const stored = z.object({
  status: z.enum(["active", "deprovisioned"]),
  generation: z.number(),
  applicationId: z.string(),
  provisionedAtMs: z.number(),
  deprovisionedAtMs: z.number().optional(),
});

export function createOrganisations(records: Records, runtime: Runtime): Organisations {
  const parsed = (id: string, { value }: StoredRecord): Organisation => {
    return { id, ...stored.parse(JSON.parse(value)) };
  };
  const parse = (id: string, record: StoredRecord | undefined) => record && parsed(id, record);

  function change(
    id: string,
    next: (now: Organisation | undefined) => Organisation | undefined,
    mayChange: () => void,
  ): Promise<Change | undefined> {
    return updateRecord<Change | undefined>(records, KEY_PREFIX + id, (record) => {
      const organisation = parse(id, record);
      const changed = next(organisation);
      if (changed === undefined)
        return { result: organisation && { organisation, changed: false } };
      mayChange();
      const { id: _, ...value } = changed;
      return { put: JSON.stringify(value), result: { organisation: changed, changed: true } };
    });
  }

  return {
    find: async (id) => parse(id, await records.get(KEY_PREFIX + id)),

    async list({ limit, after }) {
      const behind = after === undefined ? {} : { after: KEY_PREFIX + after };
      const found = await records.list(KEY_PREFIX, { limit, ...behind });
      return found.map((record) => parsed(record.key.slice(KEY_PREFIX.length), record));
    },

    async provision(id, mayChange = () => {}) {
      const provisioned = await change(
        id,
        (now) => {
          if (now?.status === "active") return undefined;
          return {
            id,
            status: "active",
            generation: (now?.generation ?? 0) + 1,
            applicationId: `app_${ksuid(runtime)}`,
            provisionedAtMs: runtime.clock.epochMs(),
          };
        },
        mayChange,
      );
      if (provisioned === undefined) throw new Error("Provisioning found nothing to change");
      return provisioned;
    },

    deprovision: (id, mayChange = () => {}) =>
      change(
        id,
        (now) => {
          if (now?.status !== "active") return undefined;
          const deprovisionedAtMs = runtime.clock.epochMs();
          return { ...now, status: "deprovisioned", deprovisionedAtMs };
        },
        mayChange,
      ),
  };
}

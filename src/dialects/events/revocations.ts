/** What makes tokens void before their time (event-streaming.md §9.3, §9.5): marks of an organisation, a user or one token. */
import type { Records } from "../../core/engine.ts";
import { updateRecord } from "../../core/update-record.ts";

/** Longer than any token lives. */
export const REVOCATION_TTL_MS = 86_400_000;

/** Whose tokens: all of the organisation, one user's, or the one with this `jti`. */
export interface RevocationScope {
  readonly organisationId: string;
  readonly userId?: string | undefined;
  readonly jti?: string | undefined;
}

export interface Revocations {
  /** Voids what was issued up to `beforeMs`, epoch milliseconds; an earlier mark that reaches further stays. */
  mark(scope: RevocationScope, beforeMs: number): Promise<void>;
  /** The latest moment up to which a token of this organisation, user and `jti` is void; 0: none. */
  markOf(token: RevocationScope): Promise<number>;
}

const KEY_PREFIX = "events/revoked/";

export function createRevocations(records: Records): Revocations {
  return {
    mark: (scope, beforeMs) =>
      updateRecord(records, keyOf(scope), (record) => {
        const reaches = Number(record?.value ?? 0) >= beforeMs;
        const put = { put: `${beforeMs}`, ttlMs: REVOCATION_TTL_MS };
        return { ...(reaches ? {} : put), result: undefined };
      }),

    async markOf({ organisationId, userId, jti }) {
      const scopes = [
        ...[{ organisationId }, { organisationId, userId }],
        ...(jti === undefined ? [] : [{ organisationId, jti }]),
      ];
      const marks = await Promise.all(scopes.map((scope) => records.get(keyOf(scope))));
      return Math.max(...marks.map((record) => Number(record?.value ?? 0)));
    },
  };
}

function keyOf({ organisationId, userId, jti }: RevocationScope): string {
  if (jti !== undefined) return `${KEY_PREFIX}${organisationId}/token/${jti}`;
  return `${KEY_PREFIX}${organisationId}${userId === undefined ? "" : `/user/${userId}`}`;
}

/** The labels of a connection under which revocation and deprovisioning find it. */
export function labelsOf({ organisationId, userId, jti }: RevocationScope): string[] {
  return [
    labelOf({ organisationId }),
    labelOf({ organisationId, userId }),
    ...(jti === undefined ? [] : [labelOf({ organisationId, jti })]),
  ];
}

export function labelOf({ organisationId, userId, jti }: RevocationScope): string {
  if (jti !== undefined) return `org:${organisationId}/token:${jti}`;
  return `org:${organisationId}${userId === undefined ? "" : `/user:${userId}`}`;
}

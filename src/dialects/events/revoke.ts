/** Ends what tokens have opened before their time (event-streaming.md §9.5). */
import { z } from "zod";
import type { Revocation } from "../../core/authority.ts";
import { organisationOf, requireScope, USER_ID } from "./access-token.ts";
import { invalidRequest, readParams, textParam, type Answer, type EventsCall } from "./call.ts";
import { PLATFORM_ADMIN } from "./organisation-state.ts";
import { labelOf } from "./revocations.ts";

const REVOKE = "events:revoke";
/** Room for any issuer's, and nothing that could reach past it in a key or label. */
export const JTI = /^[-\w.]{1,128}$/;
const instant = z.iso.datetime({ offset: true });

/** The sockets' dialect, which the signal is for. */
const SOCKETS_DIALECT = "streaming";

export async function revoke(call: EventsCall): Promise<Answer> {
  const { caller } = call;
  requireScope(caller, caller.kind === "access" ? [PLATFORM_ADMIN] : [REVOKE, PLATFORM_ADMIN]);
  const params = readParams(call, {
    ...{ organisation_id: textParam, user_id: textParam },
    ...{ jti: textParam, issued_before: textParam },
  });
  const organisationId = organisationOf(caller, params.organisation_id);
  const { user_id: userId, jti } = params;
  if (userId !== undefined && jti !== undefined) {
    throw invalidRequest('Either "user_id" or "jti" is given.');
  }
  if (userId !== undefined && !USER_ID.test(userId))
    throw invalidRequest('"user_id" is not a user id: expected "usr_…".');
  if (jti !== undefined && !JTI.test(jti)) throw invalidRequest('"jti" is not the id of a token.');
  if (call.body.length === 0 && userId === undefined && jti === undefined) {
    throw invalidRequest("The body is missing: {} is for the whole organisation.");
  }
  const { hub, revocations, runtime } = caller.context;
  const issuedBeforeMs = momentOf(params.issued_before, runtime.clock.epochMs());
  const scope = { organisationId, userId, jti };
  // First the mark: whoever connects meanwhile either sees it or is there to be ended.
  await revocations.mark(scope, issuedBeforeMs);
  const signal: Revocation = {
    ...{ do: "revoke", issuedBeforeMs },
    reason: {
      disconnect: "sent_back",
      wire: { code: 3014, reason: "state invalidated" },
    },
  };
  const { matched } = await hub.signal({ label: labelOf(scope) }, SOCKETS_DIALECT, signal);
  return { revoked: true, connections_closed: matched };
}

/** Not in the future: what will be issued is not void. */
function momentOf(text: string | undefined, nowMs: number): number {
  if (text === undefined) return nowMs;
  if (!instant.safeParse(text).success) {
    throw invalidRequest('"issued_before" is not an ISO 8601 time.');
  }
  return Math.min(Date.parse(text), nowMs);
}

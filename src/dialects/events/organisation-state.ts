/** Switching organisations on and off, and telling which they are (event-streaming.md §6). */
import type { RequestHead } from "../../transports/api-call.ts";
import { organisationOf, requireScope } from "./access-token.ts";
import { ORGANISATION_DEPROVISIONED } from "./authority.ts";
import {
  invalidRequest,
  isoTime,
  readParams,
  textParam,
  type Answer,
  type EventsCall,
} from "./call.ts";
import { NOTICES_NAMESPACE } from "./catalogue.ts";
import type { EventsContext } from "./context.ts";
import { EventsError } from "./errors.ts";
import type { Organisation } from "./organisations.ts";
import { labelOf } from "./revocations.ts";

/** Of users; a key may also have the dialect's own (§6.1). */
export const PLATFORM_ADMIN = "platform:admin";
const PROVISION = "events:provision";
const MINUTE_MS = 60_000;

/** Throws `organisation_not_provisioned`, which client libraries, unlike a 403, try again. */
export async function requireActive(
  { organisations }: EventsContext,
  organisationId: string,
): Promise<Organisation> {
  const organisation = await organisations.find(organisationId);
  if (organisation?.status === "active") return organisation;
  throw new EventsError(
    "organisation_not_provisioned",
    "The organisation is not provisioned for events.",
  );
}

/** §6.1. */
export async function provision(call: EventsCall): Promise<Answer> {
  const { context, organisationId, limit } = administration(call);
  const provisioned = await context.organisations.provision(organisationId, limit.require);
  if (provisioned.changed) limit.charge();
  const { organisation } = provisioned;
  return {
    organisation_id: organisation.id,
    status: organisation.status,
    generation: organisation.generation,
    provisioned_at: isoTime(organisation.provisionedAtMs),
    streaming: {
      endpoint: context.endpoint(),
      namespaces: [...context.catalogue.keys()]
        .filter((name) => name !== NOTICES_NAMESPACE)
        .toSorted(),
    },
    webhooks: { application_id: organisation.applicationId },
  };
}

/** §6.2: its steps in their order, each of which may be repeated. */
export async function deprovision(call: EventsCall): Promise<Answer> {
  const { context, organisationId, limit } = administration(call);
  const { organisations, organisationChannels, webhooks, hub } = context;
  const stopped = await organisations.deprovision(organisationId, limit.require);
  if (stopped === undefined) return deprovisioned(organisationId, undefined, {});
  if (stopped.changed) limit.charge();
  const { organisation } = stopped;
  const label = labelOf({ organisationId });
  const { matched } = await hub.disconnect({ label }, ORGANISATION_DEPROVISIONED);
  const { applicationId } = organisation;
  const done = await webhooks.deprovisioned({ organisationId, applicationId });
  await organisationChannels.removeHistory(organisationId);
  return deprovisioned(organisationId, organisation, { ...done, connectionsClosed: matched });
}

function deprovisioned(
  organisationId: string,
  organisation: Organisation | undefined,
  done: {
    readonly endpointsDeleted?: number;
    readonly connectionsClosed?: number;
    readonly deliveriesCancelled?: number;
  },
): Answer {
  const at = organisation?.deprovisionedAtMs;
  return {
    organisation_id: organisationId,
    status: organisation === undefined ? "none" : "deprovisioned",
    ...(at === undefined ? {} : { deprovisioned_at: isoTime(at) }),
    webhook_endpoints_deleted: done.endpointsDeleted ?? 0,
    connections_closed: done.connectionsClosed ?? 0,
    deliveries_cancelled: done.deliveriesCancelled ?? 0,
  };
}

/** §6.3. */
export async function status(call: EventsCall): Promise<Answer> {
  const { caller } = call;
  const organisationId = organisationOf(caller, organisationNamed(call));
  const organisation = await caller.context.organisations.find(organisationId);
  return {
    organisation_id: organisationId,
    status: organisation?.status ?? "none",
    generation: organisation?.generation ?? 0,
  };
}

function administration(call: EventsCall) {
  const { caller, request } = call;
  refusePrefetch(request);
  requireScope(caller, caller.kind === "access" ? [PLATFORM_ADMIN] : [PROVISION, PLATFORM_ADMIN]);
  const organisationId = organisationOf(caller, organisationNamed(call));
  const { context } = caller;
  const key = `provision/${organisationId}`;
  const { provisions_per_minute: count } = context.settings;
  const rate = { count, perMs: MINUTE_MS, limit: "provisions_per_minute" } as const;
  // Calls that change nothing, of which any number may race, cost nothing.
  const limit = {
    require: () => context.rateLimits.require(key, rate),
    charge: () => context.rateLimits.charge(key, rate),
  };
  return { context, organisationId, limit };
}

export function organisationNamed(call: EventsCall): string | undefined {
  return readParams(call, { organisation_id: textParam }).organisation_id;
}

/** §6.1: a browser that looks ahead must not switch anything. */
function refusePrefetch({ headers }: RequestHead): void {
  const purpose = [headers.get("sec-purpose"), headers.get("purpose")].join(" ");
  if (/\bprefetch\b/i.test(purpose)) throw invalidRequest("This is not for prefetching.");
}

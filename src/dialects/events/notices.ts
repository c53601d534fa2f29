/** What an organisation is told of its webhooks, on its own stream (webhooks.md §7.3). */
import { compactJson } from "../../core/json-text.ts";
import { CHANNELS } from "../../core/types.ts";
import type { WebhookNotice } from "../../webhooks/contract.ts";
import { NOTICES_NAMESPACE } from "./catalogue.ts";
import type { EventsContext } from "./context.ts";

/** Nothing to an organisation that is no longer active. A repeated notice is published once. */
export async function publishNotice(
  { hub, organisations, organisationChannels, catalogue }: EventsContext,
  { id, organisationId, body }: WebhookNotice,
): Promise<void> {
  const organisation = await organisations.find(organisationId);
  if (organisation?.status !== "active") return;
  const name = `${NOTICES_NAMESPACE}:${organisationId}`;
  const historyTtlMs = catalogue.get(NOTICES_NAMESPACE)?.historyTtlMs ?? 0;
  if (historyTtlMs > 0) await organisationChannels.note(organisation, name, historyTtlMs);
  const options = { idempotencyKey: id };
  await hub.publish({ space: CHANNELS, name }, { data: { json: compactJson(body) } }, options);
}

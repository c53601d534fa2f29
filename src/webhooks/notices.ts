/** What an organisation is told about its endpoints and messages, and the operator about all of them (webhooks.md §7.3). */
import type { NewWebhookMessage, WebhookNoticeType, WebhookOwner } from "./contract.ts";
import type { WebhooksContext } from "./context.ts";
import { listsType, type StoredEndpoint } from "./endpoint-store.ts";
import type { Intake } from "./intake.ts";

/** The application that holds nothing but the operator's own hook. No organisation can have this id. */
export const OPERATOR: WebhookOwner = {
  organisationId: "operator",
  applicationId: "app_operator",
};

/** JSON data, in the API's names. */
export type NoticeData = Readonly<Record<string, string | number | null>>;

export function createNotices(context: WebhooksContext, intake: Intake) {
  const { newId, runtime, settings, onNotice, onError } = context;

  /** To endpoints that list the type, save the one that it is about. */
  async function tell(
    about: Pick<StoredEndpoint, "organisationId" | "applicationId" | "id">,
    type: WebhookNoticeType,
    data: NoticeData = {},
  ): Promise<void> {
    const { organisationId, applicationId, id: endpointId } = about;
    if (applicationId === OPERATOR.applicationId) return;
    const body = envelope(type, {
      ...{ organisation_id: organisationId, endpoint_id: endpointId },
      ...data,
    });
    const notice = { organisationId, applicationId, id: newId("msg"), type, body };
    const message: NewWebhookMessage = { ...notice, eventType: type, channels: [] };
    await intake.accept(message, {
      internal: true,
      wants: ({ id, eventTypes }) =>
        id !== endpointId && eventTypes !== null && listsType(eventTypes, type),
    });
    if (settings.operator !== undefined) {
      await intake.accept({ ...message, ...OPERATOR }, { internal: true, wants: () => true });
    }
    try {
      await onNotice?.(notice);
    } catch (error) {
      onError(error, "a notice to the organisation's stream");
    }
  }

  /** The form of every event (event-streaming.md §10.1). */
  function envelope(type: string, data: NoticeData): string {
    const timestamp = new Date(runtime.clock.epochMs()).toISOString();
    return JSON.stringify({ id: newId("evt"), type, timestamp, data });
  }

  return { tell, envelope };
}

export type Notices = ReturnType<typeof createNotices>;

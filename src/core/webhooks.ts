/** What the rest of the server asks of outgoing webhooks. Who delivers them, and how, is `src/webhooks/`'s. */

/** One event as it goes to an organisation's endpoints (webhooks.md §4). */
export interface NewWebhookMessage {
  /** `msg_<ksuid>`, the `webhook-id`; made by the caller, so that accepting it again after a failure adds nothing. */
  readonly id: string;
  readonly organisationId: string;
  /** `app_<ksuid>` of the organisation's present generation. */
  readonly applicationId: string;
  readonly eventType: string;
  /** `<resource>` and `<resource>.<entity>`, as endpoints filter by; none without a resource. */
  readonly channels: readonly string[];
  /** The envelope, which is stored, signed and sent as exactly this text. */
  readonly body: string;
}

export interface Webhooks {
  /**
   * Matches the message against the endpoints as they are now, and stores it with its deliveries. Once resolved it survives a
   * kill of the process. An id that is known already adds nothing and gets the first answer. Throws HubError `unavailable`.
   */
  accept(message: NewWebhookMessage): Promise<{ readonly endpoints: number }>;
  /**
   * Step 3 of event-streaming.md §6.2: deletes the application's endpoints with their secrets, cancels what waits and stops its tasks.
   * May be repeated; counts what this call did.
   */
  deprovisioned(organisation: {
    readonly organisationId: string;
    readonly applicationId: string;
  }): Promise<{ readonly endpointsDeleted: number; readonly deliveriesCancelled: number }>;
}

/** Calls to the webhooks' REST API, by an organisation's access token unless told otherwise. */
import { access, ask, ORG, type EventsAnswer, type EventsRequest, type Json } from "./events.ts";
import type { StreamingServer } from "./streaming.ts";

export const READ_SCOPE = "webhooks:read";
export const ADMIN_SCOPE = "webhooks:admin";

export interface ApiCall extends Pick<EventsRequest, "headers" | "body"> {
  /** Default: both scopes. */
  readonly scope?: string;
  /** Default: the sample organisation. */
  readonly organisation?: string;
}

/** `call` is `METHOD /path`, below `/webhooks`. */
export function callWebhooks(
  server: StreamingServer,
  call: string,
  { scope = `${READ_SCOPE} ${ADMIN_SCOPE}`, organisation = ORG, ...rest }: ApiCall = {},
): Promise<EventsAnswer> {
  const [method = "", path = ""] = call.split(" ");
  const token = access(server, { scope, org_id: organisation });
  return ask(server, `/webhooks${path}`, { method, token, ...rest });
}

/** Likewise; throws what is refused. */
export async function webhooksDo(
  server: StreamingServer,
  call: string,
  body?: object,
): Promise<Json> {
  const answer = await callWebhooks(server, call, body === undefined ? {} : { body });
  if (answer.status >= 400) throw new Error(`${call}: ${answer.text}`);
  return answer.body;
}

export async function createEndpoint(
  server: StreamingServer,
  endpoint: Json,
): Promise<Json & { readonly id: string; readonly secret: string }> {
  return (await webhooksDo(server, "POST /endpoints", endpoint)) as Json & {
    id: string;
    secret: string;
  };
}

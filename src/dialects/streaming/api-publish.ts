/** Publications and channels of the server API's calls (centrifugo-protocol.md §17). */
import { HubError } from "../../core/errors.ts";
import type { HubPublishOptions } from "../../core/hub.ts";
import type { CompactJson } from "../../core/json-text.ts";
import { requireUnicode } from "../../core/names.ts";
import { isReachable, optionsOf } from "../../core/namespaces.ts";
import type { Channel, Payload, Reach, StreamPosition } from "../../core/types.ts";
import type { ApiRequest } from "./api-schema.ts";
import { StreamingError } from "./errors.ts";
import type { StreamingContext } from "./context.ts";
import { channelOf, shown } from "./subscribe.ts";

/** Of a call: its app, and what its key reaches there. */
export interface ApiContext extends StreamingContext {
  readonly reach: Reach;
}

/** A publication that says its channel and data and nothing more, as most do. Throws a Refusal, or rejects with it. */
export function publishData(context: ApiContext, name: string, json: CompactJson): Promise<string> {
  const channel = known(context, name);
  context.metrics.count("publications", BY_SERVER);
  return context.hub.publish(channel, { data: { json } }).then(positionText);
}

const BY_SERVER = { dialect: "streaming", by: "server" };

type PublicationRequest = Omit<ApiRequest<"publish">, "channel">;

/** Throws, or rejects, likewise. */
export function publish(
  context: ApiContext,
  name: string,
  request: PublicationRequest,
): Promise<StreamPosition | undefined> {
  const channel = known(context, name);
  const { hub, metrics } = context;
  const { tags, idempotency_key: idempotencyKey, version, version_epoch: versionEpoch } = request;
  const options: HubPublishOptions = {
    ...(request.skip_history === true ? { skipHistory: true } : {}),
    ...(idempotencyKey === undefined || idempotencyKey === "" ? {} : { idempotencyKey }),
    ...(versionEpoch === undefined || versionEpoch === "" ? {} : { versionEpoch }),
  };
  metrics.count("publications", BY_SERVER);
  const publication = {
    data: payloadOf(request),
    ...(tags === undefined ? {} : { tags }),
    ...(version === undefined || version === 0 ? {} : { version }),
  };
  return hub.publish(channel, publication, options);
}

/** No data at all is for the namespace to take or refuse. */
function payloadOf({ data, b64data }: PublicationRequest): Payload {
  if (b64data !== undefined && b64data !== "") return { bytes: Uint8Array.fromBase64(b64data) };
  return data ?? { bytes: new Uint8Array() };
}

export function positionText(position: StreamPosition | undefined): string {
  if (position === undefined) return "{}";
  return `{"offset":${position.offset},"epoch":${JSON.stringify(position.epoch)}}`;
}

/** §17: an empty channel is a bad request here, where no client is to be disconnected. */
export function known({ hub, reach }: ApiContext, name: string): Channel {
  if (name === "") throw new HubError("bad_request", '"channel" is empty');
  requireUnicode(name, "channel's name");
  if (optionsOf(hub.namespaces, name) === undefined) {
    throw new StreamingError("unknown_channel", "Unknown channel namespace");
  }
  if (!isReachable(hub.namespaces, name, reach)) {
    throw new StreamingError(
      "permission_denied",
      "The API key lacks the scope of the channel's dialect",
      `The API key lacks the scope of the dialect that the channel ${shown(name)} belongs to`,
    );
  }
  return channelOf(name);
}

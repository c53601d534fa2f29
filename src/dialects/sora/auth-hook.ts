/**
 * The authorization hook (§2.9 "Authorization refusal"): asked about each `connect`, in the members of the original's webhook. What it
 * leaves out stays as the client or the settings have it.
 */
import { z } from "zod";
import { HubError } from "../../core/errors.ts";
import { jsonView } from "../../core/json-text.ts";
import type { PostJson } from "../dialect.ts";
import type { SoraSettings } from "./config.ts";
import { isId } from "./ids.ts";
import type { Connect } from "./connect.ts";
import { object } from "./member.ts";

/** Bytes of the hook's answer. */
export const HOOK_BYTES_MAX = 65_536;

/** Undefined: it says nothing of it. */
export interface Granted {
  readonly clientId: string | undefined;
  readonly bundleId: string | undefined;
  readonly dataChannelSignaling: boolean | undefined;
  readonly ignoreDisconnectWebsocket: boolean | undefined;
  /** These are JSON texts. */
  readonly metadata: string | undefined;
  readonly authz: string | undefined;
  readonly event: string | undefined;
}

export interface HookQuestion {
  readonly connect: Connect;
  readonly connectionId: string;
  readonly sessionId: string;
  readonly epochMs: number;
}

/** `refused`: the reason that the client is told. Throws HubError `unavailable` when the hook gave no answer that counts. */
export type AskHook = (question: HookQuestion) => Promise<Granted | { readonly refused: string }>;

const hookAnswer = z.object({
  allowed: z.boolean(),
  reason: z.string().optional(),
  client_id: z.string().refine(isId).optional(),
  bundle_id: z.string().refine(isId).optional(),
  data_channel_signaling: z.boolean().optional(),
  ignore_disconnect_websocket: z.boolean().optional(),
});

/** A word of the original's older versions, for hooks that give no reason. */
const NO_REASON = "AUTHENTICATION-FAILURE";

export interface AuthHookOptions {
  readonly url: string;
  readonly settings: SoraSettings;
  readonly version: string;
  readonly postJson: PostJson;
}

export function createAuthHook({ url, settings, version, postJson }: AuthHookOptions): AskHook {
  return async (question) => {
    const text = await postJson({
      url,
      body: questionText(question, version),
      headers: { "sora-connection-id": question.connectionId },
      timeoutMs: settings.auth_timeout,
      responseBytesMax: HOOK_BYTES_MAX,
    });
    const view = jsonView(text);
    const read = hookAnswer.safeParse(view.value);
    if (!read.success) throw new HubError("unavailable", "The hook's answer is malformed");
    const { allowed, reason, ...given } = read.data;
    if (!allowed) return { refused: reason ?? NO_REASON };
    const raw = (name: string) => view.member(name)?.raw;
    const authz = raw("signaling_notify_metadata");
    const event = raw("event_metadata");
    const limit = settings.notify_metadata_size_limit;
    if (Buffer.byteLength(authz ?? "") > limit || Buffer.byteLength(event ?? "") > limit) {
      throw new HubError("unavailable", "The hook's metadata is larger than a limit");
    }
    return {
      clientId: given.client_id,
      bundleId: given.bundle_id,
      dataChannelSignaling: given.data_channel_signaling,
      ignoreDisconnectWebsocket: given.ignore_disconnect_websocket,
      metadata: raw("metadata"),
      ...{ authz, event },
    };
  };
}

function questionText(
  { connect, connectionId, sessionId, epochMs }: HookQuestion,
  version: string,
): string {
  const { channelId, role, clientId = connectionId, bundleId = connectionId } = connect;
  const text = (value: string) => JSON.stringify(value);
  return object([
    ["timestamp", text(new Date(epochMs).toISOString())],
    ["version", text(version)],
    ["channel_id", text(channelId)],
    ["connection_id", text(connectionId)],
    ["session_id", text(sessionId)],
    ["client_id", text(clientId)],
    ["bundle_id", text(bundleId)],
    ["role", text(role)],
    ["audio", connect.audio],
    ["video", connect.video],
    ["multistream", "true"],
    ["simulcast", "false"],
    ["spotlight", "false"],
    ["data_channel_signaling", `${connect.dataChannelSignaling}`],
    ["ignore_disconnect_websocket", `${connect.ignoreDisconnectWebsocket}`],
    ["metadata", connect.metadata],
    ["auth_metadata", connect.metadata],
    ["signaling_notify_metadata", connect.notifyMetadata],
  ]);
}

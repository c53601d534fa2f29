/** Admission of a `connect`: refused by the hook, or a member by the client's, the hook's and the settings' values together (§2.2, §2.3). */
import type { Granted } from "./auth-hook.ts";
import type { Connect } from "./connect.ts";
import type { SoraContext } from "./context.ts";
import type { Member } from "./member.ts";
import { findSessionId } from "./session-ids.ts";

export interface Admitted {
  readonly connect: Connect;
  /** Not announced yet. */
  readonly entry: Member;
  /** A confirmed identity, or `""`. */
  readonly userId: string;
  /** The hook's, JSON text. */
  readonly metadata: string | undefined;
}

/** `refused`: the words that the client is told. Throws HubError `unavailable`. */
export async function admit(
  context: SoraContext,
  asked: Connect,
  connectionId: string,
): Promise<Admitted | { readonly refused: string }> {
  const { records, runtime, askHook, trustsClientIds } = context;
  const sessionId = await findSessionId(records, asked.channelId, runtime.random);
  const epochMs = runtime.clock.epochMs();
  const answer = await askHook?.({ connect: asked, connectionId, sessionId, epochMs });
  if (answer !== undefined && "refused" in answer) return answer;
  const connect = withGranted(asked, answer);
  const { role, channelId, clientId = connectionId, bundleId = connectionId } = connect;
  const { audio, video, notifyMetadata: authn } = connect;
  const entry: Member = {
    ...{ channelId, connectionId, clientId, bundleId, sessionId, role, audio, video, createdMs: 0 },
    ...{ authn, authz: answer?.authz, event: answer?.event },
  };
  const confirmed = answer?.clientId ?? (trustsClientIds ? asked.clientId : undefined);
  return { connect, entry, userId: confirmed ?? "", metadata: answer?.metadata };
}

function withGranted(connect: Connect, granted: Granted | undefined): Connect {
  const signaling = granted?.dataChannelSignaling ?? connect.dataChannelSignaling;
  const ignores = granted?.ignoreDisconnectWebsocket ?? connect.ignoreDisconnectWebsocket;
  return {
    ...connect,
    clientId: granted?.clientId ?? connect.clientId,
    bundleId: granted?.bundleId ?? connect.bundleId,
    dataChannelSignaling: signaling,
    ignoreDisconnectWebsocket: signaling && ignores,
    labels: signaling ? connect.labels : [],
  };
}

/** From a request or a grant to a subscription: what is allowed, which options hold, and the answer (centrifugo-protocol.md §4, §14). */
import { shortened } from "../../auth/claims-text.ts";
import type {
  ChannelGrant,
  Standing,
  SubscriptionGrant,
  TellClaims,
} from "../../core/authority.ts";
import { deadlineAt, type Deadline } from "../../core/deadline.ts";
import { HubError } from "../../core/errors.ts";
import type { Encoder, SubscribeOptions, Subscribed, Subscription } from "../../core/hub.ts";
import { isOpenedBy, type ChannelOptions } from "../../core/namespaces.ts";
import type { GroupMember } from "../../core/fanout.ts";
import type { Clock } from "../../core/runtime.ts";
import { CHANNELS, type Channel, type Payload } from "../../core/types.ts";
import type { OverridingGrant } from "./authority.ts";
import {
  channelOptions,
  isPrivate,
  mayReadHistory,
  mayReadPresence,
  maySubscribe,
  rulesOf,
  type Asker,
} from "./channel-rules.ts";
import { wirePublication } from "./encoders.ts";
import { CloseError, StreamingError } from "./errors.ts";
import type { SubscribeRequest, SubscribeResult } from "./protocol.ts";
import type { StreamingContext } from "./context.ts";

/** §2: refuse instead of reporting an unsuccessful recovery. */
const FLAG_REQUIRE_RECOVERY = 2;
/** §2: `SubscribeRequest.type` of a shared poll. */
const TYPE_SHARED_POLL = 4;
const DELTA_NAMES: readonly string[] = ["", "fossil"];
/** §3.4. */
const TTL_SECONDS_MAX = 365 * 24 * 3600;

/** What the session remembers of each subscription. Replaced as a whole when it changes. */
export interface SubscriptionDetail {
  readonly serverSide: boolean;
  /** It came with the connection token, whose refresh must name it again. */
  readonly fromToken: boolean;
  readonly expires: Deadline | undefined;
}

/** Of those that a client asked for and that do not end, one for all: most are. */
const LASTING: SubscriptionDetail = { serverSide: false, fromToken: false, expires: undefined };

export interface SubscribePlan {
  readonly channel: Channel;
  readonly options: SubscribeOptions & { readonly detail: SubscriptionDetail };
  readonly recoverable: boolean;
  readonly positioned: boolean;
  readonly data?: Payload;
}

/** Who asks, as far as subscribing depends on it. */
export interface SubscribingSession {
  readonly connectionId: string;
  readonly userId: string;
  /** Of its token; undefined: it has none, or of another authority. */
  readonly tellClaims: TellClaims | undefined;
  readonly member: GroupMember;
  readonly encoder: Encoder;
  readonly joinLeaveEncoder: Encoder;
  readonly standing: Standing | undefined;
}

export function channelOf(name: string): Channel {
  return { space: CHANNELS, name };
}

export function detailOf(subscription: Subscription): SubscriptionDetail {
  return subscription.detail as SubscriptionDetail;
}

/** Checks 4 to 15 of §4.1; 1 to 3 are the session's. Throws the Refusal to answer, CloseError or DisconnectError. */
export async function planSubscribe(
  context: StreamingContext,
  session: SubscribingSession,
  request: SubscribeRequest,
): Promise<SubscribePlan> {
  const { hub, settings } = context;
  const { channel: name } = request;
  const options = channelOptions(hub.namespaces, name);
  if (request.type !== 0) {
    const code = request.type === TYPE_SHARED_POLL ? "not_available" : "permission_denied";
    throw new StreamingError(code, "The namespace takes stream subscriptions only");
  }
  const { userId } = session;
  const asker: Asker = { userId, subscribed: true, insecure: settings.insecure };
  let grant: OverridingGrant = {};
  if (request.token !== "") {
    const { authority, runtime } = context;
    const { token } = request;
    const given = await authority.subscribe({ token, connection: session });
    grant = await theirs(unexpired(given, runtime.clock.epochMs()), name, session);
  } else if (isPrivate(name) || !maySubscribe(name, options, asker)) {
    const message = "Subscribing is not allowed";
    throw new StreamingError("permission_denied", message, unopened(name, session));
  }
  if (!DELTA_NAMES.includes(request.delta))
    throw new CloseError("bad_request", "The delta type is not known");
  if (request.filtered) throw new HubError("bad_request", "The namespace does not filter by tags");
  return plan(context, session, { name, options, grant, request, serverSide: false });
}

/** Of a channel's name, in the log. */
const NAME_CHARACTERS_MAX = 200;

export function shown(name: string): string {
  return shortened(name, NAME_CHARACTERS_MAX);
}

/** As a grant has them, and its connection. */
interface WithClaims {
  readonly userId: string;
  readonly tellClaims?: TellClaims | undefined;
}

export function withClaims(detail: string, { userId, tellClaims }: WithClaims): string {
  return tellClaims === undefined ? detail : `${detail}; ${tellClaims(userId)}`;
}

/** What a token would have to say, and what the connection's says. */
function unopened(name: string, { userId, tellClaims }: SubscribingSession): string {
  const opening = `Neither the namespace's options open ${shown(name)} to this client nor the claims "channels" and "subs" of its token, and no subscription token with the claim "channel" was sent`;
  return `${opening}; ${tellClaims?.(userId) ?? "the connection has no token of this kind"}`;
}

/**
 * What a token grants, as far as it is for this channel and connection. Throws CloseError: a token that is somebody else's
 * is not a mistake of this channel's but of this client (§4.1 rule 9).
 */
export async function theirs(
  grant: ChannelGrant,
  channel: string,
  { connectionId, userId }: { readonly connectionId: string; readonly userId: string },
): Promise<ChannelGrant> {
  const otherConnection = grant.connectionId !== undefined && grant.connectionId !== connectionId;
  const otherUser = grant.userId !== userId;
  if (grant.channel !== channel || otherUser || otherConnection) {
    const named = grant.channel !== channel ? '"channel"' : otherUser ? "for the user" : '"client"';
    const opens = `The subscription token does not open ${shown(channel)} to this client`;
    const detail = `${opens}: its claim ${named} names another one`;
    throw new CloseError("invalid_token", withClaims(detail, grant));
  }
  await grant.confirm?.();
  return grant;
}

export interface PlanInput {
  readonly name: string;
  readonly options: ChannelOptions;
  readonly grant: OverridingGrant;
  /** Absent for a subscription that no client asked for. */
  readonly request?: SubscribeRequest | undefined;
  readonly serverSide: boolean;
  readonly fromToken?: boolean;
}

/** What §4.2 grants of what was asked. Throws `permission_denied` for a channel that another dialect's authority opens. */
export function plan(
  { runtime, settings }: StreamingContext,
  session: SubscribingSession,
  { name, options, grant, request, serverSide, fromToken = false }: PlanInput,
): SubscribePlan {
  if (!isOpenedBy(options, grant.grantedBy)) {
    const message = `The authority of "${options.owner}" alone opens the channel "${name}"`;
    throw new StreamingError("permission_denied", message);
  }
  const asker: Asker = { userId: session.userId, subscribed: true, insecure: settings.insecure };
  const { override = {} } = grant;
  const rules = rulesOf(options);
  const keepsHistory = options.history !== undefined;
  const readsHistory = mayReadHistory(options, asker);
  const recoverable =
    keepsHistory &&
    ((override.forceRecovery ?? rules.force_recovery) ||
      (request?.recoverable === true && (rules.allow_recovery || readsHistory)));
  const positioned =
    recoverable ||
    (keepsHistory &&
      ((override.forcePositioning ?? rules.force_positioning) ||
        (request?.positioned === true && (rules.allow_positioning || readsHistory))));
  const joinLeave = override.joinLeave ?? options.joinLeave;
  const joinLeavePushed =
    joinLeave &&
    ((override.forcePushJoinLeave ?? rules.force_push_join_leave) ||
      (request?.join_leave === true && mayReadPresence(options, asker)));
  const recover = recoverable && request?.recover === true;
  const expires = expiresOf(grant, runtime.clock);
  const lasting = !serverSide && !fromToken && expires === undefined;
  return {
    channel: channelOf(name),
    recoverable,
    positioned,
    ...(grant.data === undefined ? {} : { data: grant.data }),
    options: {
      encoder: joinLeavePushed ? session.joinLeaveEncoder : session.encoder,
      member: session.member,
      positioned,
      joinLeave,
      presence: override.presence ?? options.presence,
      ...(grant.channelInfo === undefined ? {} : { channelInfo: grant.channelInfo }),
      ...(recover
        ? {
            recoverSince: { epoch: request.epoch, offset: request.offset },
            recoverMax: settings.recovery_max_publication_limit,
            requireRecovery: (request.flag & FLAG_REQUIRE_RECOVERY) !== 0,
          }
        : {}),
      detail: lasting ? LASTING : { serverSide, fromToken, expires },
    },
  };
}

/** The answer (§4.3, §5.2), also an entry of the connect answer's `subs` and of a `subscribe` push. Protobuf would write a `false`. */
export function subscribeResult(
  context: StreamingContext,
  subscribePlan: SubscribePlan,
  subscribed: Subscribed,
): SubscribeResult {
  const { recoverable, positioned, data, options } = subscribePlan;
  const { position, recovered, publications } = subscribed;
  const { serverSide, expires: end } = options.detail;
  // A server-side subscription is refreshed with its connection, never by itself.
  const { expires, ttl } = expiry(context, serverSide ? undefined : end?.atMs);
  return {
    expires,
    ttl,
    recoverable: recoverable || undefined,
    positioned: positioned || undefined,
    epoch: position?.epoch,
    // The SDK advances from the offset it asked with while it plays the publications.
    offset: recovered === true ? (options.recoverSince?.offset ?? 0) : position?.offset,
    was_recovering: recovered !== undefined || undefined,
    recovered: recovered || undefined,
    publications:
      recovered === true ? publications.map((each) => wirePublication(each)) : undefined,
    data,
  };
}

/** A valid token whose `expire_at` has passed opens nothing: 110 (§3.1, §8.1). */
export function unexpired<Grant extends WithClaims & { readonly expiresAtMs?: number }>(
  grant: Grant,
  nowMs: number,
): Grant {
  if (grant.expiresAtMs === undefined || grant.expiresAtMs > nowMs) return grant;
  const message = "What the token grants has ended already";
  const detail = `${message}, by its claim "expire_at" or "exp"`;
  throw new StreamingError("expired", message, withClaims(detail, grant));
}

export function expiresOf(
  { expiresAtMs }: Pick<SubscriptionGrant, "expiresAtMs">,
  clock: Clock,
): Deadline | undefined {
  return expiresAtMs === undefined ? undefined : deadlineAt(clock, expiresAtMs);
}

/** `expires` and the seconds left, as every answer that can expire gives them: fewer, by chance, where refreshes are to be spread. */
export function expiry(
  { runtime, settings }: Pick<StreamingContext, "runtime" | "settings">,
  expiresAtMs: number | undefined,
): { expires?: true; ttl?: number } {
  if (expiresAtMs === undefined) return {};
  const leftMs = Math.max(0, expiresAtMs - runtime.clock.epochMs());
  const most = Math.min(Math.ceil(leftMs / 1000), TTL_SECONDS_MAX);
  const { ttl_spread: percent } = settings;
  if (percent === 0) return { expires: true, ttl: most };
  return {
    expires: true,
    ttl: Math.ceil(most * (1 - (runtime.random.fraction() * percent) / 100)),
  };
}

/** The dialect's own rules for its tokens (centrifugo-protocol.md §11): which claims they have and what they grant. */
import { z } from "zod";
import { createTellers } from "../../auth/claims-text.ts";
import type { Claims, VerifiedToken } from "../../auth/key-set.ts";
import { judging, spellingOf } from "../../auth/read-token.ts";
import type {
  Authority,
  ChannelGrant,
  ConnectGrant,
  SubscriptionGrant,
} from "../../core/authority.ts";
import { HubError } from "../../core/errors.ts";
import type { JsonView } from "../../core/json-text.ts";
import type { Payload } from "../../core/types.ts";

/** Verifies signature, algorithm and times; what the claims mean is decided here. Throws `token_expired`, `invalid_token`. */
export type VerifyToken = (
  token: string,
  kind: "connection" | "subscription",
) => Promise<VerifiedToken>;

export interface AuthorityOptions {
  readonly verify: VerifyToken;
  /** The claim that names the user, `sub` unless configured. */
  readonly userIdClaim: string;
}

/** Replace the channel's own options, each if present. */
export interface SubscriptionOverride {
  readonly presence?: boolean;
  readonly joinLeave?: boolean;
  readonly forcePushJoinLeave?: boolean;
  readonly forcePositioning?: boolean;
  readonly forceRecovery?: boolean;
}

/** A grant of this dialect's own tokens or API. */
export interface OverridingGrant extends SubscriptionGrant {
  readonly override?: SubscriptionOverride;
}

const flag = z.object({ value: z.boolean() }).nullish();
const override = z
  .object({
    presence: flag,
    join_leave: flag,
    force_recovery: flag,
    force_positioning: flag,
    force_push_join_leave: flag,
  })
  .nullish();
/** RFC 7519 §2: fractions count. */
const seconds = z.number().nonnegative();
const base64 = z.base64().nullish();
const times = { exp: seconds.optional(), expire_at: seconds.optional() };

const connectionClaims = z.object({
  ...times,
  b64info: base64,
  channels: z.array(z.string()).nullish(),
});
const subscriptionClaims = z.object({
  ...times,
  channel: z.string().min(1),
  client: z.string().optional(),
});
/** All but `info` and `data`, whose text goes out as it was signed. */
const grantClaims = z.object({ b64info: base64, b64data: base64, override });

/** Those that the token would be good for more without. */
const RESTRICTING_CLAIMS = ["expire_at", "channel", "client"];

export function createTokenAuthority({ verify, userIdClaim }: AuthorityOptions): Authority {
  const requireSpelling = spellingOf([...RESTRICTING_CLAIMS, userIdClaim]);
  const tellerOf = createTellers(userIdClaim);

  async function connect({ token }: { token: string }): Promise<ConnectGrant> {
    const verified = await verify(token, "connection");
    const { claims } = verified;
    return judging({ claims, userClaim: userIdClaim }, () => connectGrant(verified));
  }

  function connectGrant({ claims, json }: VerifiedToken): ConnectGrant {
    requireSpelling(claims);
    // Issuers write an empty one into tokens for connections.
    if ((claims["channel"] ?? "") !== "") {
      throw new HubError("invalid_token", 'A token with a "channel" claim opens a channel alone');
    }
    const parsed = parse(connectionClaims, claims);
    const subscriptions = new Map<string, SubscriptionGrant>();
    for (const channel of parsed.channels ?? []) subscriptions.set(channel, {});
    // The text is searched only for what it has.
    const textOf = (claim: string) =>
      claims[claim] === undefined ? undefined : json.member(claim);
    for (const [channel, view] of membersOf(textOf("subs"), "subs")) {
      subscriptions.set(channel, grantFrom(view, "subs"));
    }
    const info = payloadFrom(textOf("info"), parsed.b64info);
    return {
      userId: userFrom(claims, userIdClaim),
      tellClaims: tellerOf(claims),
      subscriptions,
      ...(info === undefined ? {} : { info }),
      ...lifetime(parsed),
    };
  }

  async function subscribe({ token }: { token: string }): Promise<ChannelGrant> {
    const verified = await verify(token, "subscription");
    const { claims } = verified;
    return judging({ claims, userClaim: userIdClaim }, () => channelGrant(verified));
  }

  function channelGrant({ claims, json }: VerifiedToken): ChannelGrant {
    requireSpelling(claims);
    const parsed = parse(subscriptionClaims, claims);
    return {
      ...grantFrom(json, ""),
      ...lifetime(parsed),
      channel: parsed.channel,
      userId: userFrom(claims, userIdClaim),
      tellClaims: tellerOf(claims),
      ...(parsed.client === undefined || parsed.client === ""
        ? {}
        : { connectionId: parsed.client }),
    };
  }

  return { connect, refresh: connect, subscribe };
}

/** `within`: the claim that holds these. */
function parse<Schema extends z.ZodType>(
  schema: Schema,
  claims: unknown,
  within = "",
): z.output<Schema> {
  const parsed = schema.safeParse(claims);
  if (parsed.success) return parsed.data;
  throw ofWrongType(within === "" ? String(parsed.error.issues[0]?.path.join(".")) : within);
}

function ofWrongType(claim: string): HubError {
  return new HubError(
    "invalid_token",
    `The token's claim "${claim}" is missing or not of its type`,
  );
}

/** Of an object, or of `null`, which has none; throws for anything else. */
function membersOf(view: JsonView | undefined, claim: string): ReadonlyMap<string, JsonView> {
  if (view !== undefined && view.kind !== "object" && view.kind !== "null") {
    throw ofWrongType(claim);
  }
  return view?.members() ?? new Map<string, JsonView>();
}

function userFrom(claims: Claims, name: string): string {
  const user = claims[name] ?? "";
  if (typeof user !== "string")
    throw new HubError(
      "invalid_token",
      `The token's claim "${name}", which names the user, is not a text`,
    );
  return user;
}

/** `expire_at` replaces `exp` for the lifetime of what the token opened; 0: it does not end (§11.1). */
function lifetime(claims: { exp?: number | undefined; expire_at?: number | undefined }): {
  expiresAtMs?: number;
} {
  const at = claims.expire_at ?? claims.exp ?? 0;
  return at === 0 ? {} : { expiresAtMs: epochMsOf(at) };
}

/** Of Unix time in seconds, fractions included. */
export function epochMsOf(unixSeconds: number): number {
  return Math.round(unixSeconds * 1000);
}

function grantFrom(view: JsonView, within: string): OverridingGrant {
  const members = membersOf(view, within);
  const names = Object.keys(grantClaims.shape);
  const given = names.map((name) => [name, members.get(name)?.value] as const);
  const claims = parse(grantClaims, Object.fromEntries(given), within);
  const channelInfo = payloadFrom(members.get("info"), claims.b64info);
  const data = payloadFrom(members.get("data"), claims.b64data);
  return {
    ...(channelInfo === undefined ? {} : { channelInfo }),
    ...(data === undefined ? {} : { data }),
    ...(claims.override ? { override: overrideFrom(claims.override) } : {}),
  };
}

/** The `override` object of tokens and of the server API (§11.1). */
export function overrideFrom(wire: NonNullable<z.output<typeof override>>): SubscriptionOverride {
  const { presence, join_leave, force_push_join_leave, force_positioning, force_recovery } = wire;
  return {
    ...(presence ? { presence: presence.value } : {}),
    ...(join_leave ? { joinLeave: join_leave.value } : {}),
    ...(force_push_join_leave ? { forcePushJoinLeave: force_push_join_leave.value } : {}),
    ...(force_positioning ? { forcePositioning: force_positioning.value } : {}),
    ...(force_recovery ? { forceRecovery: force_recovery.value } : {}),
  };
}

export { override as overrideSchema };

/** As it was signed, without white space; base64 wins and may be anything. */
function payloadFrom(
  view: JsonView | undefined,
  base64: string | null | undefined,
): Payload | undefined {
  if (base64) return { bytes: Uint8Array.fromBase64(base64) };
  return view === undefined || view.kind === "null" ? undefined : { json: view.json };
}

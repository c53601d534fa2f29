/** The dialect's own rules for its tokens (centrifugo-protocol.md §11): which claims they have and what they grant. */
import { z } from "zod";
import type {
  Authority,
  ChannelGrant,
  ConnectGrant,
  SubscriptionGrant,
  SubscriptionOverride,
} from "../../core/authority.ts";
import { HubError } from "../../core/errors.ts";
import type { Payload } from "../../core/types.ts";

/** Verifies signature, algorithm and times; what the claims mean is decided here. Throws `token_expired`, `token_invalid`. */
export type VerifyToken = (
  token: string,
  kind: "connection" | "subscription",
) => Promise<Record<string, unknown>>;

export interface AuthorityOptions {
  readonly verify: VerifyToken;
  /** The claim that names the user, `sub` unless configured. */
  readonly userIdClaim: string;
}

const flag = z.object({ value: z.boolean() }).optional();
const override = z
  .object({
    presence: flag,
    join_leave: flag,
    force_recovery: flag,
    force_positioning: flag,
    force_push_join_leave: flag,
  })
  .nullish();
const seconds = z.number().int().nonnegative();
const grantClaims = {
  info: z.json().optional(),
  b64info: z.base64().optional(),
  data: z.json().optional(),
  b64data: z.base64().optional(),
  override,
};
const common = { exp: seconds.optional(), expire_at: seconds.optional() };

const connectionClaims = z.looseObject({
  ...common,
  info: grantClaims.info,
  b64info: grantClaims.b64info,
  channels: z.array(z.string()).nullish(),
  subs: z.record(z.string(), z.looseObject(grantClaims)).nullish(),
});

const subscriptionClaims = z.looseObject({
  ...common,
  ...grantClaims,
  channel: z.string().min(1),
  client: z.string().optional(),
});

/** Claims of the other kinds of tokens that this server's keys may sign: one kind never passes for another. */
const FOREIGN_CLAIMS = ["gusher", "scope", "org_id"];

export function createTokenAuthority({ verify, userIdClaim }: AuthorityOptions): Authority {
  async function connect({ token }: { token: string }): Promise<ConnectGrant> {
    const claims = await verify(token, "connection");
    refuse(claims, [...FOREIGN_CLAIMS, "channel"]);
    const parsed = parse(connectionClaims, claims);
    const subscriptions = new Map<string, SubscriptionGrant>();
    for (const channel of parsed.channels ?? []) subscriptions.set(channel, {});
    for (const [channel, grant] of Object.entries(parsed.subs ?? {})) {
      subscriptions.set(channel, grantFrom(grant));
    }
    const info = payloadFrom(parsed.info, parsed.b64info);
    return {
      userId: userFrom(claims, userIdClaim),
      subscriptions,
      ...(info === undefined ? {} : { info }),
      ...lifetime(parsed),
    };
  }

  async function subscribe({ token }: { token: string }): Promise<ChannelGrant> {
    const claims = await verify(token, "subscription");
    refuse(claims, FOREIGN_CLAIMS);
    const parsed = parse(subscriptionClaims, claims);
    return {
      ...grantFrom(parsed),
      ...lifetime(parsed),
      channel: parsed.channel,
      userId: userFrom(claims, userIdClaim),
      ...(parsed.client === undefined || parsed.client === ""
        ? {}
        : { connectionId: parsed.client }),
    };
  }

  return { connect, refresh: connect, subscribe };
}

function refuse(claims: Record<string, unknown>, names: readonly string[]): void {
  const found = names.find((name) => claims[name] !== undefined);
  if (found !== undefined) {
    throw new HubError("token_invalid", `A token with a "${found}" claim is of another kind`);
  }
}

function parse<Schema extends z.ZodType>(schema: Schema, claims: unknown): z.output<Schema> {
  const parsed = schema.safeParse(claims);
  if (parsed.success) return parsed.data;
  const path = parsed.error.issues[0]?.path.join(".") ?? "";
  throw new HubError("token_invalid", `The token's claim "${path}" is not of its type`);
}

function userFrom(claims: Record<string, unknown>, name: string): string {
  const user = claims[name] ?? "";
  if (typeof user !== "string") throw new HubError("token_invalid", "The user claim is no string");
  return user;
}

/** `expire_at` replaces `exp` for the lifetime of what the token opened; 0: it does not end (§11.1). */
function lifetime(claims: { exp?: number | undefined; expire_at?: number | undefined }): {
  expiresAtMs?: number;
} {
  const at = claims.expire_at ?? claims.exp ?? 0;
  return at === 0 ? {} : { expiresAtMs: at * 1000 };
}

function grantFrom(claims: z.output<z.ZodObject<typeof grantClaims>>): SubscriptionGrant {
  const channelInfo = payloadFrom(claims.info, claims.b64info);
  const data = payloadFrom(claims.data, claims.b64data);
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

/** A claim was parsed with its token, so its text is made anew here; base64 wins and may be anything. */
function payloadFrom(json: unknown, base64: string | undefined): Payload | undefined {
  if (base64 !== undefined && base64 !== "") return { bytes: Uint8Array.fromBase64(base64) };
  return json === undefined || json === null ? undefined : { json: JSON.stringify(json) };
}

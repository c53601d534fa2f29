/** Whose a token is, of the three kinds that there are: this server's own, JWTs by the app's keys, and another server's. */
import { claimsText } from "../../../auth/claims-text.ts";
import { TOKEN_BYTES_MAX, TokenError, type KeySet } from "../../../auth/key-set.ts";
import type { Records } from "../../../core/engine.ts";
import { HubError } from "../../../core/errors.ts";
import type { Clock } from "../../../core/runtime.ts";
import { INTROSPECTED_MS, PUSHED_REVOCATION_MS } from "../limits.ts";
import { SUBSCRIBER_ID, type Bearer } from "./contract.ts";
import type { AskAbout } from "./introspections.ts";
import type { KeyStore } from "./key-store.ts";
import { deniedAt, type KeyRecord } from "./records.ts";
import type { SubscriberStore } from "./subscriber-store.ts";
import { hashOf, hashOfJwt, isJwt, momentOf, OWN_TOKEN } from "./token.ts";

/** Why a token opens nothing. */
export class BearerFault {
  /** `insufficient_scope`: the token is good, and not a subscriber's (§4.2). */
  readonly code: "invalid_token" | "insufficient_scope";
  /** For the log, and for clients in development mode. */
  readonly detail: string;

  constructor(code: BearerFault["code"], detail: string) {
    this.code = code;
    this.detail = detail;
  }
}

const invalid = (detail: string) => new BearerFault("invalid_token", detail);
const notOurs = (detail: string) => new BearerFault("insufficient_scope", detail);

const ENDED = "The token has ended: it was revoked, or its subscriber logs in anew";
const NO_SUBSCRIBER = 'its claim "sub" is missing or not a subscriber\'s id';

interface Unsigned {
  readonly unsigned: string;
}

export interface Bearers {
  /** Throws HubError `unavailable` when it cannot be told now. */
  find(token: string): Promise<Bearer | BearerFault>;
  /** See `Gate`. */
  holds(bearer: Bearer): Promise<boolean>;
  /**
   * Ends the token, and answers its hash; undefined: there was nothing to end. `trusted`: the caller may say so of a token that
   * nobody vouches for any more (§13.5).
   */
  revoke(token: string, trusted: boolean): Promise<string | undefined>;
}

export interface BearersOptions {
  readonly records: Records;
  readonly subscribers: SubscriberStore;
  readonly keys: KeyStore;
  readonly jwtKeys: KeySet;
  readonly isApiKey: (text: string) => boolean;
  /** §13.5. Absent: no other server is asked. */
  readonly askAbout?: AskAbout | undefined;
  readonly clock: Clock;
}

export function createBearers(options: BearersOptions): Bearers {
  const { records, subscribers, keys, jwtKeys, isApiKey, askAbout, clock } = options;
  // Of another server's tokens, which it is asked about again; kept beside the bearer, which may be logged.
  const texts = new WeakMap<Bearer, string>();

  /** Undefined: it is not one of ours. */
  async function ownBearer(token: string): Promise<Bearer | BearerFault | undefined> {
    if (!OWN_TOKEN.test(token)) return undefined;
    const hash = hashOf(token);
    const key = await keys.byToken(hash);
    if (key === undefined) return undefined;
    if (!(await isGood(key))) return invalid(ENDED);
    const { subscriber, expiresMs } = key;
    return { subscriber, token: hash, expiresMs: expiresMs ?? Infinity };
  }

  async function isGood(key: KeyRecord | undefined): Promise<boolean> {
    if (key?.active !== true) return false;
    const { subscriber } = (await subscribers.read(key.subscriber)) ?? {};
    return (
      subscriber?.active === true && !subscriber.deleted && key.generation === subscriber.generation
    );
  }

  /** An unsigned one, whom another server may know: none of the app's keys signed it. */
  async function jwtBearer(token: string): Promise<Bearer | BearerFault | Unsigned> {
    if (!isJwt(token)) return { unsigned: "The token is not known here, and no JWT" };
    try {
      const claims = await jwtKeys.verify(token);
      const { sub, exp = Infinity, iat = 0 } = claims;
      if (typeof sub !== "string" || !SUBSCRIBER_ID.test(sub)) {
        return notOurs(`The token is not a subscriber's: ${NO_SUBSCRIBER}; ${claimsText(claims)}`);
      }
      const hash = hashOfJwt(token);
      return { subscriber: sub, token: hash, expiresMs: momentOf(exp), issuedMs: momentOf(iat) };
    } catch (error) {
      if (!(error instanceof TokenError)) throw error;
      const { fault, code, detail } = error;
      if (fault === "kind") return notOurs(detail);
      return code === "token_expired" ? invalid(detail) : { unsigned: detail };
    }
  }

  /** Undefined: no other server is asked. */
  async function othersBearer(token: string): Promise<Bearer | BearerFault | undefined> {
    if (askAbout === undefined) return undefined;
    const hash = hashOf(token);
    const found = await askAbout(hash, token);
    if (found === undefined)
      return invalid("The server at introspection_url says that it is not active");
    if (!SUBSCRIBER_ID.test(found.subscriber)) {
      return notOurs('The answer of introspection_url has no "sub" that is a subscriber\'s id');
    }
    const bearer = { ...found, token: hash, recheckMs: INTROSPECTED_MS };
    texts.set(bearer, token);
    return bearer;
  }

  /** Of a token that others made: it has not ended here, and its subscriber may connect. Makes an unknown subscriber. */
  async function mayConnect({ subscriber: id, token, issuedMs = 0 }: Bearer): Promise<boolean> {
    const [denied, found] = await Promise.all([records.get(deniedAt(token)), subscribers.read(id)]);
    if (denied !== undefined) return false;
    let known = found;
    if (known === undefined) {
      await subscribers.ensure(id);
      known = await subscribers.read(id);
    }
    if (known === undefined) return false;
    const { active, deleted, endedMs } = known.subscriber;
    return active && !deleted && (endedMs === 0 || issuedMs > endedMs);
  }

  async function findOfOthers(token: string): Promise<Bearer | BearerFault> {
    const bearer = await jwtBearer(token);
    if (!("unsigned" in bearer)) return bearer;
    return (await othersBearer(token)) ?? invalid(bearer.unsigned);
  }

  async function deny({ token, expiresMs }: Pick<Bearer, "token" | "expiresMs">): Promise<string> {
    const leftMs = expiresMs - clock.epochMs();
    const kept = leftMs === Infinity ? {} : { ttlMs: Math.max(1, Math.ceil(leftMs)) };
    await records.put(deniedAt(token), "", kept);
    return token;
  }

  return {
    async find(token) {
      if (token.length > TOKEN_BYTES_MAX) {
        return invalid(`The token is longer than ${TOKEN_BYTES_MAX} bytes`);
      }
      const own = await ownBearer(token);
      if (own !== undefined) return own;
      // A key of the app's servers is not asked about elsewhere.
      if (isApiKey(token))
        return notOurs("An API key of a server was sent in a subscriber's place");
      const bearer = await findOfOthers(token);
      if (bearer instanceof BearerFault) return bearer;
      return (await mayConnect(bearer)) ? bearer : invalid(ENDED);
    },

    async holds(bearer) {
      if (bearer.expiresMs <= clock.epochMs()) return false;
      if (bearer.issuedMs === undefined) return isGood(await keys.byToken(bearer.token));
      if (!(await mayConnect(bearer))) return false;
      const text = texts.get(bearer);
      if (text === undefined || askAbout === undefined) return true;
      try {
        return (await askAbout(bearer.token, text)) !== undefined;
      } catch (error) {
        // Open connections stay open while the other server is away.
        if (error instanceof HubError && error.code === "unavailable") return true;
        throw error;
      }
    },

    async revoke(token, trusted) {
      if (token.length > TOKEN_BYTES_MAX) return undefined;
      const hash = hashOf(token);
      const key = OWN_TOKEN.test(token) ? await keys.byToken(hash) : undefined;
      if (key !== undefined) {
        await keys.delete({ hash, key });
        return hash;
      }
      if (isApiKey(token)) return undefined;
      const bearer = await findOfOthers(token);
      if (!(bearer instanceof BearerFault)) return deny(bearer);
      // The other server knows it no more, and connections that it opened may be there.
      if (askAbout === undefined || !trusted) return undefined;
      return deny({ token: hash, expiresMs: clock.epochMs() + PUSHED_REVOCATION_MS });
    },
  };
}

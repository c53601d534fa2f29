/** Logins by password (messaging.md §13.1): how often one may try, and that a try tells nothing but yes or no. */
import type { Passwords } from "../../../auth/passwords.ts";
import { PASSWORD_CHARACTERS_MAX } from "../../../auth/passwords.ts";
import { KeyedBuckets, type Rate, type TokenBucket } from "../../../core/rates.ts";
import type { Clock } from "../../../core/runtime.ts";
import { limitHit, type LimitName, type DialectMetrics } from "../../dialect.ts";
import { LOGINS_REMEMBERED_MAX } from "../limits.ts";
import { AuthError } from "../auth/errors.ts";
import type { SubscriberRecord } from "../auth/records.ts";

const MINUTE_MS = 60_000;

export interface Login {
  readonly domain: string;
  readonly subscriber: string;
  readonly password: string;
  /** Where it comes from, if that is known. */
  readonly address: string | undefined;
}

/** Resolves when the password is the subscriber's. Throws AuthError `rate_limited`, and `invalid_grant` for every other reason alike. */
export type CheckLogin = (
  login: Login,
  find: () => Promise<SubscriberRecord | undefined>,
) => Promise<void>;

export interface LoginsOptions {
  readonly passwords: Passwords;
  readonly clock: Clock;
  readonly metrics: DialectMetrics;
  /** Of one subscriber, right or wrong. */
  readonly perMinute: number;
  /** Of one address. */
  readonly failuresPerMinute: number;
}

export function createLogins(options: LoginsOptions): CheckLogin {
  const { passwords, clock, metrics } = options;
  const attempts = new KeyedBuckets(LOGINS_REMEMBERED_MAX);
  const failures = new KeyedBuckets(LOGINS_REMEMBERED_MAX);
  const attemptRate = perMinute(options.perMinute);
  const failureRate = perMinute(options.failuresPerMinute);

  function refuse(limit: LimitName, retryAfterMs: number): never {
    limitHit(metrics, limit);
    throw new AuthError("rate_limited", "Too many logins: try again later", { retryAfterMs });
  }

  return async ({ domain, subscriber, password, address }, find) => {
    const nowMs = clock.monotonicMs();
    // Before anything is remembered, so that a flood of names costs no memory either.
    if (passwords.busy) refuse("password_hashes_at_once", 0);
    const failed: TokenBucket | undefined =
      address === undefined ? undefined : failures.of(address, failureRate, nowMs);
    const addressWaitMs = failed?.waitMs(nowMs) ?? 0;
    if (addressWaitMs > 0) refuse("failed_logins_per_minute", addressWaitMs);
    const waitMs = attempts.of(`${domain}/${subscriber}`, attemptRate, nowMs).take(nowMs);
    if (waitMs > 0) refuse("logins_per_minute", waitMs);
    const known = await find();
    const hash = known?.active === true && !known.deleted ? known.passwordHash : undefined;
    const asked = password.slice(0, PASSWORD_CHARACTERS_MAX + 1);
    // A hash is computed in every case: the time does not tell which users exist.
    if (await passwords.verify(asked, hash)) return;
    failed?.charge(nowMs);
    throw new AuthError("invalid_grant", "The username or password is wrong");
  };
}

const perMinute = (count: number): Rate => ({ count, perMs: MINUTE_MS });

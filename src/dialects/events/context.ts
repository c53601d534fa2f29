/** What the dialect's routes share. */
import type { Claims } from "../../auth/key-set.ts";
import type { TokenSigner } from "../../auth/token-signer.ts";
import type { JobQueue, Records } from "../../core/engine.ts";
import type { Hub } from "../../core/hub.ts";
import type { Runtime } from "../../core/runtime.ts";
import type { Webhooks } from "../../webhooks/contract.ts";
import type { DialectMetrics, OnEvent } from "../dialect.ts";
import type { PublishLimit } from "../publish-limit.ts";
import type { EventsConfig } from "./config.ts";
import type { Catalogue } from "./catalogue.ts";
import type { OrganisationChannels } from "./organisation-channels.ts";
import type { Organisations } from "./organisations.ts";
import type { RateLimits } from "./rate-limits.ts";
import type { Revocations } from "./revocations.ts";

/** One per app. */
export interface EventsContext {
  readonly hub: Hub;
  readonly settings: EventsConfig["events"];
  readonly catalogue: Catalogue;
  /** This dialect's keys begin with `events/`, webhooks' with `webhooks/`. */
  readonly records: Records;
  readonly queue: JobQueue;
  readonly organisations: Organisations;
  readonly organisationChannels: OrganisationChannels;
  readonly revocations: Revocations;
  readonly rateLimits: RateLimits;
  readonly publishLimit: PublishLimit;
  /** Of access tokens: signature, issuer, audience and times, 30 s of leeway. Throws TokenError, HubError `unavailable`. */
  readonly verifyAccess: (token: string) => Promise<Claims>;
  /** Signs the tokens issued here. */
  readonly signer: TokenSigner;
  /** Whether pages of this origin may call the token endpoints. */
  readonly allowsOrigin: (origin: string) => boolean;
  /** Where clients connect. */
  readonly endpoint: () => string;
  readonly webhooks: Webhooks;
  readonly runtime: Runtime;
  readonly metrics: DialectMetrics;
  /** A bug, or an engine that is away: logged with the request's id, never with a token or payload. */
  readonly onError: (error: unknown, about: { readonly doing: string }) => void;
  readonly onEvent: OnEvent;
}

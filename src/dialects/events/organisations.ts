/** Organisations and whether they are switched on (event-streaming.md §3, §6): one record each. */

/** What is known of an organisation that was provisioned at least once. */
export interface Organisation {
  readonly id: string;
  readonly status: "active" | "deprovisioned";
  /** Counts provisionings, from 1. Tokens of an earlier one are void. */
  readonly generation: number;
  /** `app_<ksuid>`, of this generation. */
  readonly applicationId: string;
  readonly provisionedAtMs: number;
  readonly deprovisionedAtMs?: number;
}

export interface Organisations {
  /** Undefined: never provisioned. */
  find(organisationId: string): Promise<Organisation | undefined>;
  /**
   * Makes it active, once: simultaneous calls, on any node, get the same answer. `changed`: this call did it.
   */
  provision(
    organisationId: string,
  ): Promise<{ readonly organisation: Organisation; readonly changed: boolean }>;
  /** Step 1 of §6.2: from here on nothing is issued or accepted. Undefined: never provisioned. */
  deprovision(
    organisationId: string,
  ): Promise<{ readonly organisation: Organisation; readonly changed: boolean } | undefined>;
}

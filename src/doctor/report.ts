/** What a check of a running server found, and what was measured. */

/** `note`: something that was not looked at, or is worth knowing; nothing is wrong. */
export type Severity = "note" | "warning" | "error";

export interface Finding {
  readonly severity: Severity;
  /** Stable: docs/doctor.md has each. */
  readonly id: string;
  /** Dialects, or the address. */
  readonly about: readonly string[];
  readonly message: string;
  /** What to change. */
  readonly remedy?: string;
}

/** Of one dialect's client. Times in milliseconds. */
export interface Measured {
  readonly dialect: string;
  readonly connectMs: number;
  readonly published: number;
  readonly lost: number;
  readonly latencyMs?: { readonly median: number; readonly max: number };
  /** From the cut until everything had arrived again. */
  readonly recoveryMs?: number;
}

export interface Report {
  readonly severity: "healthy" | Severity;
  readonly findings: readonly Finding[];
  readonly measured: readonly Measured[];
}

/** Gathers what checks find that run side by side. */
export class Findings {
  readonly #found = new Map<string, Finding>();
  readonly #measured: Measured[] = [];

  /** The same of another dialect is one finding. */
  add({ about, ...finding }: Finding): void {
    const key = `${finding.id} ${finding.message}`;
    const known = this.#found.get(key)?.about ?? [];
    this.#found.set(key, { ...finding, about: [...new Set([...known, ...about])] });
  }

  measure(measured: Measured): void {
    this.#measured.push(measured);
  }

  report(): Report {
    const findings = [...this.#found.values()].toSorted((a, b) => rank(b) - rank(a));
    return {
      severity: findings[0]?.severity ?? "healthy",
      findings,
      measured: this.#measured.toSorted((a, b) => (a.dialect < b.dialect ? -1 : 1)),
    };
  }
}

function rank({ severity }: Finding): number {
  return ["note", "warning", "error"].indexOf(severity);
}

/** Task ids (task-tokens.md §3.1): the same context gives the same id for ever, and a genuine id is known without a store. */

export interface TaskIds {
  /** 80 lower-case hexadecimal digits. `context` is the canonical form that `contextBytes` makes. */
  of(context: Uint8Array): string;
  /** The id in lower case when this server made it for this app; undefined for anything else. */
  genuine(id: string): string | undefined;
}

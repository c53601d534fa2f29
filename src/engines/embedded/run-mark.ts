/** What a run leaves in the database file, from which the next one decides whether positions handed out before still hold. */
import { readFileSync } from "node:fs";

export type Durability = "normal" | "full";

export interface RunMark {
  /** Absent where the system names no boot. */
  readonly bootId?: string | undefined;
  /** Device and inode: a copied or restored file has another. */
  readonly file: string;
  /** When the file was made, since a restored one may be given the inode of the one that was removed. Absent in marks of before. */
  readonly born?: string;
  readonly durability: Durability;
  /** Set by a close that brought everything to the disk. */
  readonly clean: boolean;
  /** The engine's time when it was written, milliseconds. Absent in files of before. */
  readonly timeMs?: number;
}

/**
 * Whether every publication that the last run fanned out is surely in this file. A killed process loses nothing, since what
 * it committed is in the page cache; that cache lives as long as the boot, unless each commit was synced anyway.
 */
export function keepsEveryCommit(last: RunMark, now: Omit<RunMark, "clean" | "timeMs">): boolean {
  if (last.file !== now.file || (last.born ?? now.born) !== now.born) return false;
  if (last.clean || last.durability === "full") return true;
  return last.bootId !== undefined && last.bootId === now.bootId;
}

/** Undefined where the system does not tell. */
export function systemBootId(): string | undefined {
  try {
    return readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim();
  } catch {
    return undefined;
  }
}

/** Whether the servers' data is what it was: a number that all nodes agree on, kept by the servers themselves. */
import type { Connection } from "./link.ts";
import { readScript } from "../script-file.ts";

const source = readScript("generation");

/** `identity`: whatever changes when confirmed writes may have been lost (`dataIdentity`). */
export async function readGeneration(
  connection: Connection,
  prefix: string,
  identity: string,
): Promise<number> {
  return Number(await connection.send("EVAL", [source, 1, `${prefix}:{generation}`, identity]));
}

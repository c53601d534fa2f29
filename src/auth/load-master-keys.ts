/** From the configuration to the server's master keys. */
import { randomBytes } from "node:crypto";
import { createMasterKeys, keptMasterKey, parseMasterKey, type MasterKeys } from "./master-key.ts";
import type { BaseConfig } from "../config/schema.ts";
import { StartError } from "../core/start-error.ts";

/** Makes the key in the data directory when the configuration names none. Throws an Error with one clear sentence when it cannot. */
export function loadMasterKeys({
  master_key,
  previous_master_keys,
  data_dir,
}: BaseConfig): MasterKeys {
  const current =
    master_key === undefined ? keptMasterKey(data_dir, randomBytes) : keyOf(master_key);
  return createMasterKeys(current, previous_master_keys.map(keyOf));
}

/** The schema has looked at the text. */
function keyOf(text: string): Uint8Array {
  const key = parseMasterKey(text);
  if (key === undefined)
    throw new StartError("master_key_unusable", "A master key is not 32 bytes");
  return key;
}

/** The configuration of a server that speaks the listed dialects: how it is read, checked and printed. */
import {
  developmentFile as developmentFileOf,
  developmentToml as developmentTomlOf,
} from "../config/development.ts";
import { loadConfig as load, type LoadOptions } from "../config/load.ts";
import {
  productionToml as productionTomlOf,
  type ProductionSecrets,
} from "../config/production.ts";
import { referencePage as referencePageOf } from "../config/reference.ts";
import { createModel, toFile as toFileOf, type SectionsOf } from "../config/model.ts";
import type { BaseConfig } from "../config/schema.ts";
import { validate as validateBy } from "../config/validate.ts";
import { warningsOf as warningsBy } from "../config/warnings.ts";
import { DIALECTS } from "./list.ts";

export const MODEL = createModel(DIALECTS.toReversed());

type Intersection<Union> = (Union extends unknown ? (part: Union) => void : never) extends (
  whole: infer Whole,
) => void
  ? Whole
  : never;

/** With the tables of all dialects. */
export type Config = BaseConfig & Intersection<SectionsOf<(typeof DIALECTS)[number]>>;

// What passed the model's schema has every table.

export function loadConfig(options: LoadOptions): Config {
  return load(MODEL, options) as Config;
}

export function validate(raw: unknown) {
  const checked = validateBy(MODEL, raw);
  return "config" in checked ? { config: checked.config as Config } : checked;
}

type DevelopmentOf<Part> = Part extends { readonly development: infer Tables } ? Tables : object;
type DevelopmentFile = ReturnType<typeof developmentFileOf> &
  Intersection<DevelopmentOf<(typeof DIALECTS)[number]>>;

export const developmentFile = (): DevelopmentFile => developmentFileOf(MODEL) as DevelopmentFile;
export const developmentToml = (): string => developmentTomlOf(MODEL);
export const productionToml = (secrets: ProductionSecrets): string =>
  productionTomlOf(MODEL, secrets);
export const referencePage = (): string => referencePageOf(MODEL);
export const toFile = (config: BaseConfig, options: { readonly redact: boolean }): object =>
  toFileOf(MODEL, config, options);
export const warningsOf = (config: BaseConfig) => warningsBy(MODEL, config);

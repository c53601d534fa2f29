/** A configuration of Centrifugo's as one of Carillon's. What has no counterpart, or differs, is noted; nothing is guessed that would open more than was open. */
import { stringify } from "smol-toml";
import { sectionsOf } from "../../config/fields.ts";
import type { Model } from "../../config/model.ts";
import { formatPath } from "../../config/problem.ts";
import { validate } from "../../config/validate.ts";
import { translateChannels } from "./channels.ts";
import { Draft, type Table } from "./draft.ts";
import { translateEngine } from "./engine.ts";
import { translateKeys } from "./keys.ts";
import { translateListeners } from "./listeners.ts";
import { isOff, Notes } from "./notes.ts";
import { OPTIONS } from "./options.ts";
import { readSettings, ruleOf, type Said, type Setting, type Settings } from "./settings.ts";
import { readSource, type SourceFile } from "./sources.ts";
import { isOn, listOf, textOf } from "./values.ts";

export interface Translation {
  /** A whole file's, secrets included. */
  readonly file: object;
  /** It as text. */
  readonly toml: string;
  /** Lines for whoever moves; they hold no value. */
  readonly notes: readonly string[];
}

/** Later files win over earlier ones. Throws ConfigError for a file that cannot be parsed. */
export function translate(
  model: Model,
  files: readonly SourceFile[],
  newMasterKey: () => string,
): Translation {
  const notes = new Notes();
  const sources = files.map((file) => readSource(file, notes));
  const said = readSettings(sources, notes);
  if (said.settings.size + said.lists.size === 0) {
    notes.differs("the files say nothing: what is below are Centrifugo's defaults");
  }
  const fields = sectionsOf(model.schema).flatMap((section) => section.fields);
  const draft = new Draft(said, fields, notes);
  translateListeners(draft);
  translateEngine(draft, newMasterKey);
  translateApp(draft);
  translateKeys(draft);
  translateChannels(draft);
  translateLog(draft);
  for (const setting of said.settings.values()) {
    const { to } = ruleOf(setting);
    if (to !== undefined) draft.put(to, setting);
  }
  noteOthers(said, notes);
  leaveOutRefused(model, draft);
  const toml = `${HEADER}${stringify(draft.file).trimEnd()}\n`;
  return { file: draft.file, toml, notes: notes.lines() };
}

const HEADER = `# Made by "carillon config --from-centrifugo". "carillon config" checks it; docs/configuration.md has every key.
# It holds secrets: keep it from others.

`;

function translateApp(draft: Draft): void {
  const origins = listOf(draft.at("client.allowed_origins")?.value);
  draft.file["apps"] = [
    { id: "main", ...(origins.length > 0 ? { allowed_origins: origins } : {}) },
  ];
  const anonymous = draft.at("client.allow_anonymous_connect_without_token");
  if (anonymous === undefined) return;
  const asked = ["enabled", "endpoint"]
    .map((key) => draft.at(`client.proxy.connect.${key}`))
    .find((setting) => setting !== undefined && !isOff(setting.value));
  if (asked === undefined) draft.put("streaming.allow_anonymous_connect_without_token", anonymous);
  else if (isOn(anonymous)) {
    draft.notes.wrong(
      anonymous.written,
      `"${asked.written}" had your backend decide instead, which has no counterpart, and all would be let in`,
    );
  }
}

function translateLog(draft: Draft): void {
  const level = draft.at("log.level");
  if (level === undefined) return;
  const silent = textOf(level) === "none";
  draft.put("log.level", silent ? { ...level, value: "fatal" } : level);
}

/** What has no counterpart, and what is so without an option. */
function noteOthers({ settings, lists }: Said, notes: Notes): void {
  for (const one of [settings, ...[...lists.values()].flat()]) {
    for (const setting of one.values()) {
      const { none, always, unless } = ruleOf(setting);
      if (isIdle(setting, one)) continue;
      if (always !== undefined && !isOff(setting.value)) notes.differs(always);
      if (none !== undefined && setting.value !== unless) notes.none({ ...setting, reason: none });
    }
  }
}

/** Of a part that is not switched on: those of version 5 that are no switch are looked at alone. */
function isIdle({ path, former }: Setting, settings: Settings): boolean {
  const parts = path.split(".");
  return parts.some((_, index) => {
    const enabled = `${parts.slice(0, index).join(".")}.enabled`;
    if (!OPTIONS.has(enabled)) return false;
    const said = settings.get(enabled);
    return said === undefined ? !former : isOff(said.value);
  });
}

/** Keys whose values Carillon does not take, such as one over its limit: its own default stands. */
function leaveOutRefused(model: Model, draft: Draft): void {
  const checked = validate(model, draft.file);
  if ("config" in checked) return;
  for (const { path, message } of checked.problems) {
    const key = formatPath(path);
    const origin = draft.origins.get(key);
    if (origin === undefined) draft.notes.mend(key, message);
    else {
      draft.notes.wrong(origin.written, `here it ${message}`);
      const table = path.slice(0, -1).reduce<Table>((at, part) => at[part] as Table, draft.file);
      delete table[path.at(-1) as string];
    }
  }
}

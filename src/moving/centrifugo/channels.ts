/** Namespaces with their options. */
import { isOff } from "./notes.ts";
import type { Draft, Table } from "./draft.ts";
import { ruleOf, type Setting, type Settings } from "./settings.ts";
import { isOn, textOf } from "./values.ts";

const WITHOUT = "channel.without_namespace";
const NAMED = "channel.namespaces[]";

/** Upstream asks a backend in place of these permissions, which then open more than they did. */
const ASKED = [
  {
    by: ["subscribe_proxy", "subscribe_stream_proxy"],
    instead: ["allow_subscribe_for_client", "allow_subscribe_for_anonymous"],
  },
  {
    by: ["publish_proxy", "subscribe_stream_proxy"],
    instead: [
      "allow_publish_for_client",
      "allow_publish_for_subscriber",
      "allow_publish_for_anonymous",
    ],
  },
] as const;

export function translateChannels(draft: Draft): void {
  const shared = draft.at("channel.publication_data_format");
  const own = optionsOf(draft, WITHOUT, draft.settings, shared);
  if (Object.keys(own).length > 0) draft.table("channel")["without_namespace"] = own;
  const namespaces = draft.list("channel.namespaces").map((settings) => ({
    name: textOf(settings.get(`${NAMED}.name`)),
    ...optionsOf(draft, NAMED, settings, shared),
  }));
  if (namespaces.length > 0) draft.table("channel")["namespaces"] = namespaces;
}

function optionsOf(
  draft: Draft,
  table: string,
  settings: Settings,
  sharedFormat: Setting | undefined,
): Table {
  const options: Table = {};
  const closed = new Set(closedOf(draft, table, settings));
  for (const [path, setting] of settings) {
    const key = path.slice(table.length + 1);
    const rule = ruleOf(setting);
    if (!path.startsWith(`${table}.`) || key === "name" || rule.none !== undefined) continue;
    if (closed.has(key)) continue;
    // The schema has the options of both by the same names.
    const value = draft.converted(`${NAMED}.${key}`, setting);
    if (value !== undefined) options[key] = value;
  }
  const format = textOf(sharedFormat);
  if (format !== "" && !options["publication_data_format"]) {
    options["publication_data_format"] = format;
  }
  return options;
}

/** Permissions that are not carried over, each with a note. */
function* closedOf(draft: Draft, table: string, settings: Settings): Iterable<string> {
  const at = (key: string) => settings.get(`${table}.${key}`);
  for (const { by, instead } of ASKED) {
    const asked = by.map((name) => askedBy(at, name)).find((setting) => setting !== undefined);
    if (asked === undefined) continue;
    for (const key of instead) {
      const permission = at(key);
      if (permission === undefined || isOff(permission.value)) continue;
      draft.notes.wrong(
        permission.written,
        `"${asked.written}" had your backend decide instead, which has no counterpart, and all would be let in`,
      );
      yield key;
    }
  }
}

/** Version 5 had a name alone say so. */
function askedBy(at: (key: string) => Setting | undefined, name: string): Setting | undefined {
  const enabled = at(`${name}_enabled`);
  if (isOn(enabled)) return enabled;
  const named = at(`${name}_name`);
  return named?.former === true && textOf(named) !== "" ? named : undefined;
}

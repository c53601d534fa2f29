/** Writes the reference page of the configuration, `docs/configuration.md`, from the schema. */
import { sectionsOf, type Field, type FieldType, type Section } from "./fields.ts";
import type { Model } from "./model.ts";

const INTRODUCTION = `# Configuration

<!-- Made from the schema by \`carillon config --reference\`; do not edit. -->

Carillon reads one file: that of \`--config\` or \`CARILLON_CONFIG\`, else \`carillon.toml\`, \`carillon.yaml\`, \`carillon.yml\` or \`carillon.json\` in the working directory.
Without one it runs in development mode, on loopback only, with every dialect; \`CARILLON_DEVELOPMENT=false\` starts from the defaults below instead.

- \`carillon config\` prints what is in effect, and warns of what is too open. When something is wrong it exits with 1, one line per problem; an unknown key is a problem.
- \`carillon config --production\` prints a file to go live with, with new secrets; \`--dev\` prints development mode.

A key stands with its default, or with its type where it has none. Of several values the first is the default. Keys that belong together share a line. What exceeds a limit gets its dialect's own error, or is closed: [errors](errors.md).
Durations are such as \`"300s"\`, \`"1m30s"\`, \`"720h"\` or \`"500ms"\`; a number counts seconds. Sizes are bytes. Paths of files are relative to the working directory.

## Environment

Every key has a variable: \`CARILLON_\`, table and key. \`CARILLON_CLIENTS_PORT=80\` sets \`clients.port\`, whatever the file says. An empty variable counts as absent; an unknown one is a problem,
save those that Kubernetes and Docker set for a service \`carillon\` or \`carillon-…\`.

- A list is words between spaces, or JSON, and replaces the file's: \`CARILLON_CLIENTS_TRUSTED_PROXIES="10.0.0.0/8 ::1"\`. \`[]\` is the empty one.
- A list of tables is named entry by entry: \`CARILLON_CHANNEL_NAMESPACES="news chat"\` adds those that the file does not have, and
  \`CARILLON_CHANNEL_NAMESPACES_NEWS_HISTORY_SIZE=100\` sets a key of one, the file's too. Names are in upper case there, with \`_\` for \`-\` and \`.\`.
- Entries without a \`name\` or \`id\` are called by their place in the file, from 0, or by any word:
  \`CARILLON_SIGNING_KEYS="main"\` and \`CARILLON_SIGNING_KEYS_MAIN_HMAC_SECRET\`. JSON replaces the file's list.
`;

/** Ends with a line feed. */
export function referencePage({ schema }: Model): string {
  const sections = sectionsOf(schema);
  const texts = sections.map((section, at) => sectionText(section, sections.slice(0, at)));
  return [INTRODUCTION, ...texts].join("\n");
}

/** Keys with the same description share an item: what belongs together is told once. */
function sectionText(section: Section, above: readonly Section[]): string {
  const told = above.find((one) => tellsOf(one, section));
  const own = section.fields.filter((field) => told === undefined || !tellsField(told, field));
  const items = Object.entries(Object.groupBy(own, ({ description }) => description)).map(
    ([description, fields = []]) => `- ${fields.map(headOf).join(", ")}: ${description}`,
  );
  if (told !== undefined) items.push(`- Every key of [\`${titleOf(told)}\`](#${anchorOf(told)}).`);
  const title = section.path.length === 0 ? "Top level" : `\`${titleOf(section)}\``;
  return [`## ${title}`, section.description, items.join("\n")]
    .filter((text) => text !== "")
    .join("\n\n")
    .concat("\n");
}

/** All keys of `one`, in the same words: they need no second table. */
function tellsOf(one: Section, section: Section): boolean {
  const same = one.fields.every((field) => tellsField(section, field));
  return same && one.fields.length > 1;
}

function tellsField({ fields }: Section, field: Field): boolean {
  return fields.some((one) => {
    const [own, other] = [one, field].map((said) => ({
      ...said,
      env: "",
      path: said.path.slice(-1),
    }));
    return Bun.deepEquals(own, other);
  });
}

const anchorOf = (section: Section): string => titleOf(section).replaceAll(/[^\w-]/g, "");

function titleOf({ path }: Section): string {
  const text = path.join(".");
  return text.endsWith("[]") ? `[[${text.slice(0, -2).replaceAll("[]", "")}]]` : `[${text}]`;
}

/** As a file would say it; its type in words, where there is no default. */
function headOf({ path, type, values, default: fallback, required }: Field): string {
  const key = path.at(-1) ?? "";
  const others = (values ?? []).filter((value) => value !== fallback).map(code);
  if (fallback !== undefined) {
    const said = `\`${key} = ${JSON.stringify(fallback)}\``;
    return type === "enum" ? oneOf([said, ...others]) : said;
  }
  const kind = values === undefined ? TYPE_WORDS[type] : oneOf(others);
  const words = type === "list" && values !== undefined ? `list of ${kind}` : kind;
  return `\`${key}\` (${words}${required ? "; required" : ""})`;
}

function oneOf(values: readonly string[]): string {
  return values.join(", ").replace(/, (?=[^,]*$)/, " or ");
}

const TYPE_WORDS: Readonly<Record<FieldType, string>> = {
  ...{ string: "text", integer: "number", boolean: "true or false", duration: "duration" },
  ...{ "date-time": "date and time", json: "table, or JSON text", enum: "text", list: "list" },
  "string or list": "text or list",
};

function code(value: unknown): string {
  return `\`${JSON.stringify(value)}\``;
}

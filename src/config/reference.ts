/** Writes the reference page of the configuration, `docs/configuration.md`, from the schema. */
import { envOf, sectionsOf, type Field, type Section } from "./fields.ts";
import type { Model } from "./model.ts";

const INTRODUCTION = `# Configuration

<!-- Made from the schema by \`carillon config --reference\`; do not edit. -->

Carillon reads one file: the one that \`--config\` or \`CARILLON_CONFIG\` names, else \`carillon.toml\`, \`carillon.yaml\`,
\`carillon.yml\` or \`carillon.json\` in the working directory. Without any it runs in development mode, on loopback addresses only;
\`carillon config --dev\` prints what that is, and \`CARILLON_DEVELOPMENT=false\` starts from the defaults below instead.
\`carillon config --production\` prints a file to go live with, whose secrets are new each time.

- \`carillon config\` checks the configuration and prints what is in effect. It exits with 1, one line per problem, when something is wrong.
  An unknown key is a problem. What is allowed and yet too open for most, such as \`*\` among the origins, is a warning on the standard error.
- Single values can be overridden by the environment variable in the table. An empty variable counts as absent, an unknown one that begins with
  \`CARILLON_\` is a problem, save those that Kubernetes and Docker set for a service \`carillon\` or \`carillon-…\`.
- A list is words between spaces, or a list in JSON: \`CARILLON_CLIENTS_TRUSTED_PROXIES="10.0.0.0/8 ::1"\`; it replaces the file's. \`[]\` is the empty one.
- A list of tables is named entry by entry: \`CARILLON_CHANNEL_NAMESPACES="news chat"\` adds those that the file does not have, and
  \`CARILLON_CHANNEL_NAMESPACES_NEWS_HISTORY_SIZE=100\` is a key of one, of the file's as well. In the variable's name an entry's is in upper case, with \`_\` for \`-\` and \`.\`.
  Entries without a \`name\` or \`id\`, such as signing keys, are called by their place in the file, from 0, or by whatever the variable calls them:
  \`CARILLON_SIGNING_KEYS="main"\` and \`CARILLON_SIGNING_KEYS_MAIN_HMAC_SECRET\`. A list in JSON replaces the file's here as well.
- Durations are text such as \`"300s"\`, \`"1m30s"\`, \`"720h"\` or \`"500ms"\`; a plain number counts seconds. Sizes are bytes.
- Paths of files are relative to the working directory.
`;

/** Ends with a line feed. */
export function referencePage({ schema }: Model): string {
  const sections = sectionsOf(schema);
  const texts = sections.map((section, at) => sectionText(section, sections.slice(0, at)));
  return [INTRODUCTION, ...texts].join("\n");
}

function sectionText(section: Section, above: readonly Section[]): string {
  if (section.fields.length === 0) return `## \`${titleOf(section)}\`\n\n${section.description}\n`;
  const told = above.find((one) => tellsOf(one, section));
  const own = section.fields.filter((field) => told === undefined || !tellsField(told, field));
  return `## ${section.path.length === 0 ? "Top level" : `\`${titleOf(section)}\``}
${section.description === "" ? "" : `\n${aboutOf(section)}\n`}
| key | type | default | environment | description |
|---|---|---|---|---|
${own.map(rowOf).join("\n")}
${told === undefined ? "" : `\nAnd every key of [\`${titleOf(told)}\`](#${anchorOf(told)}), by the environment as \`${envPrefixOf(section)}…\`.\n`}`;
}

function envPrefixOf({ fields }: Section): string {
  const { env = "", path } = fields.find((field) => field.env !== undefined) ?? { path: [] };
  return env.slice(0, env.length - (path.at(-1) ?? "").length);
}

/** All keys of `one`, in the same words: they need no second table. */
function tellsOf(one: Section, section: Section): boolean {
  const same = one.fields.every((field) => tellsField(section, field));
  return same && one.fields.length > 1 && one.fields.length < section.fields.length;
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

function aboutOf({ path, description }: Section): string {
  if (!path.at(-1)?.endsWith("[]")) return description;
  return `${description} Entries by environment: \`${envOf(path)}\`.`;
}

function titleOf({ path }: Section): string {
  const text = path.join(".");
  return text.endsWith("[]") ? `[[${text.slice(0, -2).replaceAll("[]", "")}]]` : `[${text}]`;
}

function rowOf(field: Field): string {
  const cells = [
    `\`${field.path.at(-1)}\``,
    typeText(field),
    field.required ? "required" : field.default === undefined ? "" : code(field.default),
    field.env === undefined ? "" : `\`${field.env}\``,
    field.description,
  ];
  return `| ${cells.map((cell) => cell.replaceAll("|", "\\|")).join(" | ")} |`;
}

function typeText({ type, values }: Field): string {
  if (type === "json") return "table, or JSON text";
  if (values === undefined) return type;
  const options = values.map((value) => code(value)).join(", ");
  return type === "list" ? `list of ${options}` : options;
}

function code(value: unknown): string {
  return `\`${JSON.stringify(value)}\``;
}

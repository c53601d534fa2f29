/** Writes docs/errors.md, and an entry of it for a terminal, from the table of errors. */
import type { ErrorEntry, ShownBy } from "./errors.ts";

const INTRODUCTION = `# Errors

<!-- Made from the tables of words by \`carillon errors --page\`; do not edit. -->

Everything that Carillon refuses or ends has a word. It stands in the log line as \`word\`, in the metrics as the label \`word\`
(\`carillon_command_errors_total\`, \`carillon_disconnects_total\`, \`carillon_api_requests_total\`, \`carillon_connections_refused_total\`),
and in the answer or close reason where the protocol has room for one: protocols have codes of their own, which the second table leads from.
What a start or a command fails with ends with its word in brackets: \`carillon: Port 8000 on 127.0.0.1 is already in use [port_in_use]\`.
\`carillon errors 3500\`, or any other word, code or reason, prints what stands here; \`--json\` for programs.

The log's lines are at level debug (\`log.level = "debug"\`), their \`detail\` says what the word leaves open, and the last ones are
shown without it by [\`/admin/api/refusals\`](admin.md). Of a token it names the channel, the claim that is missing or wrong, and the names and
types of the claims that are there, never their values but the user's first letters.

In development mode clients are told it as well, beside what their protocol says, which stays first and as it is:

| by | where the explanation stands |
|---|---|
| every socket | behind the close's reason, as far as its 123 bytes have room, save of a normal closure |
| streaming | behind the message of errors 103, 107, 109 and 110 |
| gusher | members \`word\` and \`detail\` of the data of \`gusher.…_error\`; a second line of the 401 of login and handshake |
| events | \`error.details.explanation\`, and \`error_description\` of \`WWW-Authenticate\` |
| tasks | members \`word\` and \`detail\` of \`error.data\` with -32001 and -32002; members \`Word\` and \`Detail\` of a socket's last frame |
| messaging | \`error_description\`, in the body and in \`WWW-Authenticate\` |

What an API key lacks is told to its holder always: the scope that is missing, the key's id and the scopes that it has.
`;

/** Ends with a line feed. */
export function errorsPage(entries: readonly ErrorEntry[]): string {
  return [INTRODUCTION, "## Words\n", ...entries.map(sectionText), codesText(entries)].join("\n");
}

function sectionText({ word, means, cause, remedy, shown }: ErrorEntry): string {
  const wires = [...Map.groupBy(shown, ({ by }) => by)].map(
    ([by, rows]) => `${by}: ${rows.map(wireText).join(", ")}`,
  );
  return `### \`${word}\`

${means} *Why:* ${cause} *What to do:* ${remedy}
${wires.length === 0 ? "" : `\nShown as ${wires.join("; ")}.\n`}`;
}

function wireText({ as, code, text }: Omit<ShownBy, "by">): string {
  return `${as} \`${code}\`${text === undefined ? "" : ` (${text})`}`;
}

function codesText(entries: readonly ErrorEntry[]): string {
  const rows = entries.flatMap(({ word, shown }) => shown.map((row) => ({ word, ...row })));
  const byWire = Map.groupBy(rows, ({ by, as, code, text }) =>
    [by, as, `\`${code}\``, text ?? ""].join(" | "),
  );
  const lines = [...byWire]
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(([wire, same]) => `| ${wire} | ${same.map(({ word }) => linkTo(word)).join(", ")} |`);
  return `## Codes of the protocols

| by | as | code | text | word |
|---|---|---|---|---|
${lines.join("\n")}
`;
}

function linkTo(word: string): string {
  return `[\`${word}\`](#${word})`;
}

/** Lines for a terminal. */
export function errorLines({ word, means, cause, remedy, shown }: ErrorEntry): readonly string[] {
  return [
    word,
    `  ${means}`,
    `  Why: ${cause}`,
    `  What to do: ${remedy}`,
    ...shown.map(
      ({ by, as, code, text }) => `  ${by}: ${as} ${code}${text === undefined ? "" : ` ${text}`}`,
    ),
  ];
}

/** `carillon connections` and `carillon who`: which connections there are, on all nodes. */
import type { Command } from "commander";
import { z } from "zod";
import {
  AdminApi,
  connectionRow,
  listCommand,
  type ConnectionRow,
  type ListOptions,
} from "./admin.ts";
import { printable, tableLines } from "./table.ts";

interface Options extends ListOptions {
  readonly user?: string;
  readonly dialect?: string;
  readonly channel?: string;
}

/** What `--json` prints of each is all that the server says. */
const whole = connectionRow.loose();

export function connectionsCommand(): Command {
  return listCommand("connections", "list connections on all nodes")
    .option("--user <id>", 'only this user\'s; "": anonymous ones')
    .option("--dialect <name>", "only connections of this dialect")
    .option("--channel <name>", "only those that are subscribed to it")
    .action(async (options: Options) => {
      const { user, dialect, channel, limit } = options;
      const asked = { query: { user, dialect, channel }, limit };
      const { rows, more } = await new AdminApi(options).list("connections", asked, whole);
      print(rows, { ...options, more, none: "No connections" });
    });
}

const occupancy = z.object({
  data: z.array(
    z.object({
      channel: z.string(),
      connections: z.number(),
      by_dialect: z.record(z.string(), z.number()),
    }),
  ),
});

export function whoCommand(): Command {
  return listCommand("who", "list who is subscribed to a channel, on all nodes")
    .argument("<channel>")
    .action(async (channel: string, options: ListOptions) => {
      const api = new AdminApi(options);
      const name = printable(channel);
      if (options.json !== true) {
        // Of the channels that begin so the first is the one that is called so.
        const found = await api.get("channels", { prefix: channel, limit: "1" }, occupancy);
        const [first] = found.data;
        if (first?.channel === channel) console.log(`${name}: ${countsOf(first)}`);
      }
      const asked = { query: { channel }, limit: options.limit };
      const { rows, more } = await api.list("connections", asked, whole);
      print(rows, { ...options, more, none: `Nobody is subscribed to ${name}` });
    });
}

function countsOf({ connections, by_dialect }: z.output<typeof occupancy>["data"][number]): string {
  const each = Object.entries(by_dialect).map(([dialect, count]) => `${dialect} ${count}`);
  return `${connections} connected (${each.join(", ")})`;
}

const TITLES = ["CONNECTION", "USER", "DIALECT", "CHANNELS", "UNSENT", "SINCE", "NODE"];

function print(
  rows: readonly ConnectionRow[],
  { json, more, none }: { readonly json?: boolean; readonly more: boolean; readonly none: string },
): void {
  if (json === true) for (const row of rows) console.log(JSON.stringify(row));
  else if (rows.length === 0) console.log(none);
  else for (const line of tableLines(TITLES, rows.map(cellsOf))) console.log(line);
  if (more) console.error("There are more: --limit takes a larger number");
}

function cellsOf(row: ConnectionRow): readonly string[] {
  const {
    connection,
    user,
    dialect,
    subscriptions,
    unsent_bytes: unsent,
    connected_at,
    node,
  } = row;
  return [connection, user, dialect, `${subscriptions}`, `${unsent}`, connected_at, node];
}

/** `carillon publish`: one push by a running server's admin API, and how many it matched. */
import type { Command } from "commander";
import { z } from "zod";
import { isJson } from "../core/json-text.ts";
import { AdminApi, adminCommand, type AdminOptions } from "./admin.ts";
import { CommandError, REFUSED, USAGE } from "./failure.ts";

interface Options extends AdminOptions {
  readonly user?: string;
  readonly pattern?: string;
}

/** What `--json` prints is all that the server says. */
const answer = z
  .object({
    matched: z.number(),
    by_dialect: z.record(z.string(), z.number()),
    channels: z.number().optional(),
    position: z.object({ epoch: z.string(), offset: z.number() }).optional(),
    nodes_answered: z.number().optional(),
    nodes_asked: z.number().optional(),
  })
  .loose();
type Pushed = z.output<typeof answer>;

export function publishCommand(): Command {
  return adminCommand(
    "publish",
    "push to a channel, a user or a pattern, and tell how many it matched",
  )
    .usage("[options] [channel] <data>")
    .argument("[channel]", "left out with --user and --pattern")
    .argument("[data]", "JSON; anything else is published as a string")
    .option("--user <id>", "push to all connections of this user")
    .option("--pattern <re2>", "push to every channel in whose name this expression is found")
    .action(async (first: string | undefined, second: string | undefined, options: Options) => {
      const { target, data } = askedOf([first, second], options);
      // Spliced, not parsed: numbers keep every digit.
      const json = isJson(data) ? data : JSON.stringify(data);
      const body = `${JSON.stringify(target).slice(0, -1)},"data":${json}}`;
      const pushed = await new AdminApi(options).post("push", body, answer);
      console.log(options.json === true ? JSON.stringify(pushed) : told(pushed));
      const { nodes_answered: answered, nodes_asked: asked } = pushed;
      if (answered === asked) return;
      throw new CommandError(
        `Only ${answered} of ${asked} nodes answered: others may not have it`,
        REFUSED,
      );
    });
}

function askedOf(
  words: readonly (string | undefined)[],
  { user, pattern }: Options,
): { readonly target: object; readonly data: string } {
  const given = words.filter((word) => word !== undefined);
  const named = [user, pattern].filter((each) => each !== undefined).length;
  const data = given.at(-1);
  if (data === undefined || given.length + named !== 2) {
    throw new CommandError(
      'Say where to, then what: carillon publish public:news \'{"text":"Hello"}\', or --user or --pattern in place of the channel',
      USAGE,
    );
  }
  return { target: named === 0 ? { channel: given[0] } : { user, pattern }, data };
}

function told({ matched, by_dialect: byDialect, channels, position }: Pushed): string {
  const each = Object.entries(byDialect).map(([dialect, count]) => `${dialect} ${count}`);
  const within =
    channels === undefined ? "" : ` in ${channels} ${channels === 1 ? "channel" : "channels"}`;
  const by = each.length === 0 ? "" : ` (${each.join(", ")})`;
  return `${matched} matched${within}${by}${position === undefined ? "" : `, offset ${position.offset}`}`;
}

/** `carillon kick`: ends connections on all nodes. */
import type { Command } from "commander";
import { z } from "zod";
import { AdminApi, adminCommand, type AdminOptions } from "./admin.ts";
import { CommandError, USAGE, REFUSED } from "./failure.ts";

interface Options extends AdminOptions {
  readonly user?: string;
  readonly connection?: string;
  readonly channel?: string;
  readonly dialect?: string;
  readonly reconnect?: boolean;
}

const answer = z.object({
  matched: z.number(),
  nodes_answered: z.number(),
  nodes_asked: z.number(),
});

export function kickCommand(): Command {
  return adminCommand("kick", "end the connections of a user or channel, or one")
    .option("--user <id>", "all connections of this user")
    .option("--connection <id>", "this one")
    .option("--channel <name>", "all that are subscribed to it")
    .option("--dialect <name>", "of these, only connections of this dialect")
    .option("--reconnect", "have the clients connect anew, instead of staying away")
    .action(async (options: Options) => {
      const { user, connection, channel, dialect, reconnect = false } = options;
      const named = [user, connection, channel].filter((each) => each !== undefined);
      if (named.length !== 1) {
        throw new CommandError("Say whom: one of --user, --connection and --channel", USAGE);
      }
      const asked = { user, connection, channel, dialect, reconnect };
      const ended = await new AdminApi(options).post("kick", asked, answer);
      const { matched, nodes_answered: answered, nodes_asked: nodes } = ended;
      if (options.json === true) console.log(JSON.stringify(ended));
      else console.log(matched === 1 ? "1 connection ended" : `${matched} connections ended`);
      if (answered === nodes) return;
      throw new CommandError(`Only ${answered} of ${nodes} nodes answered: run it again`, REFUSED);
    });
}

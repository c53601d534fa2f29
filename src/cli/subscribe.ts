/** `carillon subscribe`: prints a channel's publications, one per line, also over restarts of the server. */
import { type Command, InvalidArgumentError } from "commander";
import { CommandError } from "./failure.ts";
import { follow } from "./follow.ts";
import { configCommand, findApp, readConfig, urlOf, type AppOption } from "./options.ts";

interface Options extends AppOption {
  readonly url?: string;
  readonly token?: string;
  readonly subscriptionToken?: string;
  readonly count?: number;
}

export function subscribeCommand(): Command {
  return configCommand("subscribe", "print a channel's publications, one line of JSON each")
    .argument("<channel>")
    .option("--url <url>", "the server's clients listener; default: the configuration's")
    .option("--token <token>", "a connection token; `carillon token streaming` makes one")
    .option("--subscription-token <token>", "a token for this channel")
    .option("--count <n>", "end after this many publications", parseCount)
    .option("--app <id>", "the app; default: the first one")
    .option("--json", "print JSON, as it does anyway")
    .action(async (channel: string, options: Options) => {
      const { token, subscriptionToken, count = Number.POSITIVE_INFINITY } = options;
      let printed = 0;
      await follow({
        target: targetOf(options),
        channel,
        token,
        subscriptionToken,
        onData(json) {
          console.log(json);
          return ++printed < count;
        },
        onState: (line) => console.error(line),
      });
    });
}

function targetOf(options: Options): URL {
  const config = readConfig(options);
  const base = options.url ?? urlOf(config, "clients", findApp(config, options.app));
  if (!/^(?:https?|wss?):/.test(base) || !URL.canParse(base)) {
    throw new CommandError("--url must be an http, https, ws or wss address");
  }
  const websocket = base.replace(/^http/, "ws").replace(/\/+$/, "");
  return new URL(websocket + config.streaming.websocket_path);
}

function parseCount(text: string): number {
  const count = Number(text);
  if (!Number.isSafeInteger(count) || count < 1) throw new InvalidArgumentError("Not a count.");
  return count;
}

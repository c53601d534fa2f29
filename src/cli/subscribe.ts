/** `carillon subscribe`: prints a channel's publications, one per line, also over restarts of the server. */
import type { Command } from "commander";
import { follow } from "./follow.ts";
import {
  addressOf,
  configCommand,
  countUpTo,
  findApp,
  readConfig,
  SHARED,
  urlOf,
  type AppOption,
} from "./options.ts";

interface Options extends AppOption {
  readonly url?: string;
  readonly token?: string;
  readonly subscriptionToken?: string;
  readonly count?: number;
}

export function subscribeCommand(): Command {
  return configCommand("subscribe", "print a channel's publications, one line of JSON each")
    .argument("<channel>")
    .option(...SHARED.clientsUrl)
    .option("--token <token>", "a connection token; `carillon token streaming` makes one")
    .option("--subscription-token <token>", "a token for this channel")
    .option("--count <n>", "end after this many publications", countUpTo(Infinity))
    .option(...SHARED.app)
    .option(...SHARED.json)
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
  const app = findApp(config, options.app);
  const base = addressOf(options.url ?? urlOf(config, "clients", app), "--url");
  return new URL(base.replace(/^http/, "ws") + config.streaming.websocket_path);
}

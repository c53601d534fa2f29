/** `carillon publish`: one publication through a running server's streaming API. */
import type { Command } from "commander";
import { z } from "zod";
import { CommandError } from "./failure.ts";
import { ask } from "./http.ts";
import {
  configCommand,
  developmentKey,
  findApp,
  readConfig,
  urlOf,
  type AppOption,
} from "./options.ts";
import { isJson } from "../core/json-text.ts";

interface Options extends AppOption {
  readonly url?: string;
  readonly key?: string;
}

const answer = z.union([
  z.object({ error: z.object({ code: z.number(), message: z.string() }) }),
  z.object({ result: z.object({}).loose() }),
]);

export function publishCommand(): Command {
  return configCommand("publish", "publish to a channel and print the answer")
    .argument("<channel>")
    .argument("<data>", "JSON; anything else is published as a string")
    .option("--url <url>", "the server's api listener; default: the configuration's")
    .option("--key <key>", "an API key; default in development mode: dev-api-key")
    .option("--app <id>", "the app; default: the first one")
    .option("--json", "print JSON, as it does anyway")
    .action(async (channel: string, data: string, options: Options) => {
      const { target, key } = targetOf(options);
      const { status, body } = await ask(target, {
        headers: { "content-type": "application/json", "x-api-key": key },
        // Spliced, not parsed: numbers keep every digit.
        body: `{"channel":${JSON.stringify(channel)},"data":${isJson(data) ? data : JSON.stringify(data)}}`,
      });
      console.log(resultOf(status, body));
    });
}

function targetOf(options: Options): { target: URL; key: string } {
  const config = readConfig(options);
  const app = findApp(config, options.app);
  const base = options.url ?? urlOf(config, "api", app);
  if (!/^https?:/.test(base) || !URL.canParse(base)) {
    throw new CommandError("--url must be an http or https address");
  }
  const key = options.key ?? developmentKey(config, app);
  if (key === undefined) throw new CommandError("--key is required: an API key of the server");
  const url = base.replace(/\/+$/, "") + config.streaming.api_path;
  return { target: new URL(`${url}/publish`), key };
}

function resultOf(status: number, body: string): string {
  if (status !== 200) {
    const hint = status === 401 ? ": the API key was not accepted" : "";
    throw new CommandError(`The server answered ${status}${hint}`);
  }
  const parsed = answer.safeParse(isJson(body) ? JSON.parse(body) : undefined);
  if (!parsed.success) throw new CommandError("The answer is not one of the streaming API");
  if ("error" in parsed.data) {
    const { code, message } = parsed.data.error;
    throw new CommandError(`Publishing was refused: ${code} ${message}`);
  }
  return JSON.stringify(parsed.data.result);
}

/** `carillon token tasks`: asks a running server for a task's token, signed as a backend signs. */
import { createHmac } from "node:crypto";
import type { Command } from "commander";
import { z } from "zod";
import type { App } from "../config/schema.ts";
import type { Config } from "../dialects/configuration.ts";
import { CommandError } from "./failure.ts";
import { post } from "./http.ts";
import { configCommand, findApp, readConfig, urlOf, type AppOption } from "./options.ts";

interface Options extends AppOption {
  readonly url?: string;
  readonly context?: string;
  readonly timeout: string;
  readonly reusable: string;
  readonly sendOfflineMessage?: true;
  readonly singleInstance?: true;
  readonly persistTimeout?: true;
}

const answer = z.union([
  z.object({
    error: z.object({ code: z.number(), message: z.string(), data: z.unknown().optional() }),
  }),
  z.object({ result: z.object({ client_token: z.string(), task_id: z.string() }) }),
]);

export function tasksTokenCommand(): Command {
  return configCommand("tasks", "a task's client token and id, from a running server")
    .option(
      "--context <text>",
      "what the task is about: the same text is the same task; default: a new task",
    )
    .option("--timeout <minutes>", "how long a client waits", "10")
    .option("--reusable <minutes>", "how long the token opens connections; 0: one connection", "60")
    .option("--send-offline-message", "send the last message to later connections")
    .option("--single-instance", "a new connection ends the earlier one")
    .option("--persist-timeout", "the time goes on over reconnects")
    .option("--url <url>", "the server's api listener; default: the configuration's")
    .option("--app <id>", "the app; default: the first one")
    .action(async (options: Options) => {
      console.log(await mintTasksToken(readConfig(options), options));
    });
}

/** task-tokens.md §4.2, §4.5. Answers the call's result as one line of JSON. */
async function mintTasksToken(config: Config, options: Options): Promise<string> {
  const app = findApp(config, options.app);
  const params = paramsOf(options);
  const body = JSON.stringify({ jsonrpc: "2.0", id: "1", method: "get_envoy_token", params });
  const timestamp = `${Math.floor(Date.now() / 1000)}`;
  const mac = createHmac("sha512", secretOf(config, app)).update(`${timestamp}.${body}`);
  const { status, body: text } = await post(targetOf(config, app, options.url), {
    headers: {
      "content-type": "application/json",
      "public-id": app.id,
      // Always, for the app may ask for it.
      "sign-timestamp": timestamp,
      sign: mac.digest("hex"),
    },
    body,
  });
  return resultOf(status, text);
}

function secretOf(config: Config, app: App): string {
  const now = Date.now();
  const key = config.signing_keys.find(
    ({ app: of, use, until = Infinity }) => of === app.id && use === "tasks" && until > now,
  );
  if (key?.hmac_secret !== undefined) return key.hmac_secret;
  throw new CommandError(`App "${app.id}" has no signing key with an hmac_secret for tasks' calls`);
}

function paramsOf(options: Options): object {
  return {
    reusable_minutes: minutesOf("--reusable", options.reusable),
    Task: {
      ...(options.context === undefined ? {} : { task_context: options.context }),
      timeout: minutesOf("--timeout", options.timeout),
      send_offline_message: options.sendOfflineMessage ?? false,
      single_instance: options.singleInstance ?? false,
      persist_timeout: options.persistTimeout ?? false,
    },
  };
}

function minutesOf(name: string, text: string): number {
  if (/^\d{1,6}$/.test(text)) return Number(text);
  throw new CommandError(`${name} must be a number of minutes`);
}

function targetOf(config: Config, app: App, url: string | undefined): URL {
  const base = url ?? urlOf(config, "api", app);
  if (!/^https?:/.test(base) || !URL.canParse(base)) {
    throw new CommandError("--url must be an http or https address");
  }
  // The app is in a header, never in the path.
  return new URL(config.tasks.rpc_path, base);
}

function resultOf(status: number, body: string): string {
  const parsed = answer.safeParse(parse(body));
  if (!parsed.success) throw new CommandError(`The server answered ${status}, and not for tasks`);
  if ("result" in parsed.data) return JSON.stringify(parsed.data.result);
  const { code, message, data } = parsed.data.error;
  const about = data === undefined ? "" : ` ${JSON.stringify(data)}`;
  throw new CommandError(`The token was refused: ${code} ${message}${about}`);
}

function parse(body: string): unknown {
  try {
    return JSON.parse(body);
  } catch {
    return undefined;
  }
}

/** `carillon token tasks`: asks a running server for a task's token, signed as a backend signs. */
import { createHmac } from "node:crypto";
import { z } from "zod";
import {
  answerOf,
  APP_OPTION,
  secretKeyOf,
  serverUrlOf,
  type AskedToken,
  type TokenCommand,
  MintError,
} from "../token-command.ts";
import type { TasksConfig } from "./config.ts";

interface Options {
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

type Asked = AskedToken<TasksConfig, Options>;

export const tasksToken: TokenCommand<TasksConfig, Options> = {
  name: "tasks",
  description: "a task's client token and id, from a running server",
  options: [
    [
      "--context <text>",
      "what the task is about: the same text is the same task; default: a new task",
    ],
    ["--timeout <minutes>", "how long a client waits", "10"],
    ["--reusable <minutes>", "how long the token opens connections; 0: one connection", "60"],
    ["--send-offline-message", "send the last message to later connections"],
    ["--single-instance", "a new connection ends the earlier one"],
    ["--persist-timeout", "the time goes on over reconnects"],
    ["--url <url>", "the server's api listener; default: the configuration's"],
    APP_OPTION,
  ],
  mint,
};

/** task-tokens.md §4.5. Answers the call's result as one line of JSON. */
async function mint(asked: Asked): Promise<string> {
  const params = paramsOf(asked.options);
  const call = { id: "1", method: "get_envoy_token", params };
  const { status, body } = await callTasks(asked, call, serverUrlOf(asked));
  return resultOf(status, body);
}

/** One call, signed as a backend signs (task-tokens.md §4.2). */
export async function callTasks(
  asked: Omit<AskedToken<TasksConfig>, "options">,
  call: { readonly id: string; readonly method: string; readonly params: object },
  serverUrl: string,
): Promise<{ readonly status: number; readonly body: string }> {
  const { config, app, epochMs, post } = asked;
  const body = JSON.stringify({ jsonrpc: "2.0", ...call });
  const timestamp = `${Math.floor(epochMs / 1000)}`;
  const key = secretKeyOf(asked, "tasks' calls", ({ use }) => use === "tasks");
  const mac = createHmac("sha512", key.hmac_secret).update(`${timestamp}.${body}`);
  // The app is in a header, never in the path.
  return post(new URL(config.tasks.rpc_path, serverUrl), {
    headers: {
      "content-type": "application/json",
      "public-id": app.id,
      // Always, for the app may ask for it.
      "sign-timestamp": timestamp,
      sign: mac.digest("hex"),
    },
    body,
  });
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
  throw new MintError("command_usage", `${name} must be a number of minutes`);
}

/** Throws what was refused. */
export function resultOf(status: number, body: string): string {
  const parsed = answer.safeParse(answerOf(body));
  if (!parsed.success)
    throw new MintError(
      "server_refused",
      `The server answered ${status}, not as tasks does: check that it is enabled, and that --url is the api listener`,
    );
  if ("result" in parsed.data) return JSON.stringify(parsed.data.result);
  const { code, message, data } = parsed.data.error;
  const about = data === undefined ? "" : ` ${JSON.stringify(data)}`;
  throw new MintError("server_refused", `The token was refused: ${code} ${message}${about}`);
}

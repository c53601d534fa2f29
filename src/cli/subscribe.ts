/** `carillon subscribe`: prints a channel's publications, one per line, as a streaming client in JSON (centrifugo-protocol.md §1, §3, §4). */
import { type Command, InvalidArgumentError } from "commander";
import { z } from "zod";
import { CommandError } from "./failure.ts";
import { configCommand, findApp, readConfig, urlOf, type AppOption } from "./options.ts";

interface Options extends AppOption {
  readonly url?: string;
  readonly token?: string;
  readonly subscriptionToken?: string;
  readonly count?: number;
}

const CONNECT_ID = 1;
const SUBSCRIBE_ID = 2;

const message = z.object({
  id: z.number().optional(),
  error: z.object({ code: z.number(), message: z.string() }).optional(),
  push: z
    .object({
      channel: z.string().optional(),
      pub: z.object({ data: z.unknown() }).optional(),
      unsubscribe: z.object({ code: z.number(), reason: z.string().optional() }).optional(),
    })
    .optional(),
});

export function subscribeCommand(): Command {
  return configCommand("subscribe", "print a channel's publications, one line of JSON each")
    .argument("<channel>")
    .option("--url <url>", "the server's clients listener; default: the configuration's")
    .option("--token <token>", "a connection token; `carillon token streaming` makes one")
    .option("--subscription-token <token>", "a token for this channel")
    .option("--count <n>", "end after this many publications", parseCount)
    .option("--app <id>", "the app; default: the first one")
    .action(async (channel: string, options: Options) => {
      await follow(targetOf(options), channel, options);
    });
}

/** Resolves after `count` publications; throws CommandError when the server refuses or ends it. */
function follow(target: URL, channel: string, options: Options): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = new WebSocket(target);
    let left = options.count ?? Number.POSITIVE_INFINITY;
    const fail = (reason: string) => {
      reject(new CommandError(reason));
      socket.close();
    };
    const receive = (line: string) => {
      if (line === "{}") {
        socket.send("{}");
        return;
      }
      const { id, error, push } = message.parse(JSON.parse(line));
      if (error !== undefined) {
        const what = id === CONNECT_ID ? "Connecting" : "Subscribing";
        fail(`${what} was refused: ${error.code} ${error.message}`);
      } else if (id === SUBSCRIBE_ID) {
        console.error(`Subscribed to "${channel}"`);
      } else if (push?.channel === channel && push.unsubscribe !== undefined) {
        const { code, reason = "" } = push.unsubscribe;
        fail(`The server ended the subscription: ${code} ${reason}`.trimEnd());
      } else if (push?.channel === channel && push.pub !== undefined && left > 0) {
        console.log(exactData(line));
        left -= 1;
        if (left > 0) return;
        resolve();
        socket.close();
      }
    };
    socket.addEventListener("open", () => {
      const { token, subscriptionToken } = options;
      const connect = { name: "carillon", ...(token === undefined ? {} : { token }) };
      const subscribe = {
        channel,
        ...(subscriptionToken === undefined ? {} : { token: subscriptionToken }),
      };
      const commands = [
        { id: CONNECT_ID, connect },
        { id: SUBSCRIBE_ID, subscribe },
      ];
      socket.send(commands.map((command) => JSON.stringify(command)).join("\n"));
    });
    socket.addEventListener("message", (event: MessageEvent<unknown>) => {
      try {
        for (const line of String(event.data).split("\n")) if (line !== "") receive(line);
      } catch {
        fail("The server does not speak the streaming protocol");
      }
    });
    socket.addEventListener("error", () => {
      fail(`Connecting to ${target.origin}${target.pathname} failed`);
    });
    socket.addEventListener("close", ({ code, reason }) => {
      fail(`The server closed the connection: ${code} ${reason}`.trimEnd());
    });
  });
}

/** The publication's data as JSON in which numbers stay as they were written, however many digits they have. */
function exactData(line: string): string {
  const parsed = JSON.parse(line, keepNumber) as { push: { pub: { data: unknown } } };
  return JSON.stringify(parsed.push.pub.data);
}

function keepNumber(_key: string, value: unknown, context?: { readonly source?: string }): unknown {
  // The library's types do not know the language's `JSON.rawJSON` yet.
  const { rawJSON } = JSON as unknown as { rawJSON(this: void, text: string): unknown };
  return typeof value === "number" && context?.source ? rawJSON(context.source) : value;
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

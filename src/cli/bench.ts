/** `carillon bench`: load on a running server, and what came of it. */
import { availableParallelism } from "node:os";
import { Command, Argument } from "commander";
import type { BenchReport } from "../bench/index.ts";
import { LOAD_COMMAND, type LoadKind } from "../bench/processes.ts";
import { LANES_MAX } from "../bench/load/tally.ts";
import { isJson } from "../core/json-text.ts";
import { isLoopback } from "../core/networks.ts";
import { openChannel } from "../dialects/probe.ts";
import { mintedTokens } from "../dialects/streaming/token-command.ts";
import { readOpenFilesMax } from "../operations/open-files.ts";
import { CommandError, failureLines, REFUSED, USAGE } from "./failure.ts";
import { ask } from "./http.ts";
import {
  addressOf,
  configCommand,
  countUpTo,
  developmentKey,
  findApp,
  readConfig,
  SHARED,
  urlOf,
  type AppOption,
} from "./options.ts";
import { printable, tableLines } from "./table.ts";

interface Options extends AppOption {
  readonly api?: string;
  readonly key?: string;
  readonly token?: string;
  readonly channel?: string;
  readonly connections: number;
  readonly subscribers: number;
  readonly inFlight: number;
  readonly seconds: number;
  readonly remote?: true;
  readonly json?: true;
}

const EXIT_CODES = { fine: 0, faults: 1, notMeasured: 2 } as const;
const CONNECTIONS_MAX = 100_000;
const SECONDS_MAX = 600;

export function benchCommand(): Command {
  return configCommand("bench", "load a running server: connections, deliveries, publishes")
    .argument(...SHARED.clients)
    .option(...SHARED.api)
    .option(...SHARED.key)
    .option(...SHARED.token)
    .option("--channel <name>", "the channel that is loaded; default: one of its own")
    .option("--connections <n>", "how many are opened", countUpTo(CONNECTIONS_MAX), 500)
    .option("--subscribers <n>", "who is delivered to", countUpTo(CONNECTIONS_MAX), 100)
    .option("--in-flight <n>", "publishes at a time", countUpTo(LANES_MAX), 16)
    .option(
      "--seconds <n>",
      "each part's, of deliveries and of publishes",
      countUpTo(SECONDS_MAX),
      4,
    )
    .option("--remote", "load a server that is not on this machine")
    .option(...SHARED.app)
    .option(...SHARED.json)
    .action(async (url: string | undefined, options: Options) => {
      process.exit(await run(url, options));
    });
}

/** A load process of a bench: not for people. */
export function loadCommand(): Command {
  const kinds = ["publishers", "subscribers"] satisfies LoadKind[];
  return new Command(LOAD_COMMAND)
    .addArgument(new Argument("<kind>").choices(kinds))
    .action(async (kind: LoadKind) => {
      if (kind === "publishers")
        await (await import("../bench/load/publishers.ts")).runPublishers();
      else await (await import("../bench/load/subscribers.ts")).runSubscribers();
    });
}

async function run(url: string | undefined, options: Options): Promise<number> {
  try {
    const { runBench } = await import("../bench/index.ts");
    const report = await runBench(await optionsOf(url, options));
    if (options.json) console.log(JSON.stringify(report, null, 2));
    else for (const line of linesOf(report)) console.log(line);
    return report.faults.length === 0 ? EXIT_CODES.fine : EXIT_CODES.faults;
  } catch (error) {
    for (const line of failureLines(helpful(error))) console.error(line);
    return EXIT_CODES.notMeasured;
  }
}

/** All that it needs is there, and works once, before any load. */
async function optionsOf(url: string | undefined, options: Options) {
  const { connections, subscribers, inFlight, seconds } = options;
  const config = readConfig(options);
  const app = findApp(config, options.app);
  const clients = ownMachine(addressOf(url ?? urlOf(config, "clients", app), "The URL"), options);
  const api = ownMachine(addressOf(options.api ?? urlOf(config, "api", app), "--api"), options);
  const { streaming } = config;
  const publish = new URL(`${api}${streaming.api_path}/publish`);
  const own = developmentKey(config, app);
  const key = options.key ?? own;
  if (key === undefined) throw new CommandError(`Publishing needs an API key: ${GIVE_KEY}`, USAGE);
  const mark = crypto.randomUUID().slice(0, 8);
  const channel = options.channel ?? openChannel(config, "streaming", `carillon-bench-${mark}`);
  await publishOnce(publish, key, channel);
  const asked = {
    ...{ config, app, token: options.token, apiUrl: api, developmentKey: own, post: ask },
    epochMs: Date.now(),
  };
  return {
    sockets: new URL(clients.replace(/^http/, "ws") + streaming.websocket_path),
    ...{ publish, key, channel, connections, subscribers, inFlight, seconds },
    tokens: await mintedTokens(asked, { user: `carillon-bench-${mark}`, channel }),
    cores: availableParallelism(),
    openFilesMax: readOpenFilesMax(),
    onPhase: (what: string) => console.error(`${what} …`),
  };
}

const GIVE_KEY = 'give --key; "carillon key --scope streaming" makes one';
const GIVE_TOKEN = 'give --token; "carillon token streaming" makes one';

function ownMachine(url: string, { remote }: Options): string {
  const { hostname } = new URL(url);
  if (remote === true || isLoopback(hostname)) return url;
  throw new CommandError(
    `${hostname} is not this machine, and may be slowed down for everybody: add --remote if you may load it`,
    USAGE,
  );
}

async function publishOnce(publish: URL, key: string, channel: string): Promise<void> {
  const { status, body } = await ask(publish, {
    headers: { "content-type": "application/json", "x-api-key": key },
    body: JSON.stringify({ channel, data: { bench: true } }),
  });
  if (status === 401 || status === 403) {
    throw new CommandError(`The API key was not accepted (${status}): ${GIVE_KEY}`, REFUSED);
  }
  const answer = isJson(body) ? (JSON.parse(body) as { error?: unknown; result?: unknown }) : {};
  if (answer.error !== undefined) {
    const why = errorText(body) ?? status;
    throw new CommandError(
      `Publishing to "${channel}" was refused: ${why}: --channel names another`,
      REFUSED,
    );
  }
  if (status === 200 && answer.result !== undefined) return;
  throw new CommandError(
    `${publish.href} answered ${status}: --api is the server's api listener`,
    REFUSED,
  );
}

/** A refused client is told what it lacks, most likely. */
function helpful(error: unknown): unknown {
  if (!(error instanceof Error) || error.name !== "BenchRefused") return error;
  const why = errorText(error.message) ?? error.message;
  return new CommandError(`Connecting was refused: ${why}: ${GIVE_TOKEN}`, REFUSED);
}

/** Code and message of an error of the protocol's. */
function errorText(text: string): string | undefined {
  const [, code, message] = /"error":\{"code":(\d+),"message":"([^"]*)"/.exec(text) ?? [];
  return code === undefined ? undefined : `${code} ${printable(message ?? "")}`;
}

const TITLES = ["", "PER SECOND", "P50 MS", "P99 MS", "MISSING", "OUT OF ORDER", "BENCH CPU"];

function linesOf({ connect, deliver, publish, faults, notes }: BenchReport): readonly string[] {
  const rows = [
    { name: `connect, ${connect.connections}`, missing: "-", order: "-", ...connect },
    {
      ...{ name: `deliver, to ${deliver.subscribers}`, ...deliver },
      ...{ missing: `${deliver.missing}`, order: `${deliver.out_of_order}` },
    },
    { name: "publish, to nobody", missing: "-", order: "-", ...publish },
  ].map(({ name, per_second: rate, latency_ms: { p50, p99 }, missing, order, cpu }) => [
    ...[name, `${rate}`, `${p50}`, `${p99}`, missing, order],
    `${Math.round(cpu * 100)} %`,
  ]);
  return [
    ...tableLines(TITLES, rows),
    "",
    ...faults.map((fault) => `✗ ${printable(fault)}`),
    ...notes.map((note) => `! ${note}`),
    ...(faults.length === 0 ? ["Every delivery arrived, once and in order."] : []),
  ];
}

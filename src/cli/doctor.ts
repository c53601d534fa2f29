/** `carillon doctor`: checks a running server from outside, and says what to change. */
import { type Command } from "commander";
import type { DoctorOptions, Finding, Report } from "../doctor/index.ts";
import { DIALECTS } from "../dialects/list.ts";
import { systemRuntime } from "../system-runtime.ts";
import { failureLines } from "./failure.ts";
import { ask } from "./http.ts";
import {
  addressOf,
  configCommand,
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
  readonly origin?: string[];
  readonly quick?: true;
  readonly json?: true;
}

/** By the worst finding. */
const EXIT_CODES = { healthy: 0, note: 0, warning: 1, error: 2 } as const;

export function doctorCommand(): Command {
  return configCommand("doctor", "check a running server from outside, and say what to change")
    .argument(...SHARED.clients)
    .option(...SHARED.api)
    .option(...SHARED.key)
    .option(...SHARED.token)
    .option("--channel <name>", "the channel that is tried; default: one of its own")
    .option("--origin <origins...>", "pages that are to connect; default: the configuration's")
    .option(...SHARED.app)
    .option("--quick", "leave out what takes longer than some seconds")
    .option(...SHARED.json)
    .action(async (url: string | undefined, options: Options) => {
      process.exit(await run(url, options));
    });
}

/** What keeps it from looking is as bad as what it could find. */
async function run(url: string | undefined, options: Options): Promise<number> {
  try {
    const { examine } = await import("../doctor/index.ts");
    const report = await examine(optionsOf(url, options));
    if (options.json) console.log(JSON.stringify(report, null, 2));
    else for (const line of linesOf(report)) console.log(line);
    return EXIT_CODES[report.severity];
  } catch (error) {
    for (const line of failureLines(error)) console.error(line);
    return EXIT_CODES.error;
  }
}

function optionsOf(url: string | undefined, options: Options): DoctorOptions {
  const { api, token, channel, quick = false } = options;
  const config = readConfig(options);
  const app = findApp(config, options.app);
  const own = developmentKey(config, app);
  const listed = app.allowed_origins.filter((origin) => /^[^*?]+:\/\/[^*?]+$/.test(origin));
  return {
    ...{
      config,
      app,
      token,
      channel,
      quick,
      runtime: systemRuntime,
      dialects: DIALECTS,
      post: ask,
    },
    clientsUrl: addressOf(url ?? urlOf(config, "clients", app), "The URL"),
    apiUrl: addressOf(api ?? urlOf(config, "api", app), "--api"),
    key: options.key ?? own,
    developmentKey: own,
    origins: options.origin ?? listed,
    onWait: (what, ms) => console.error(`Watching ${what}, ${Math.round(ms / 1000)} s …`),
  };
}

const MARKS = { error: "✗", warning: "!", note: "·" };

function linesOf({ findings, measured, severity }: Report): readonly string[] {
  const rows = measured.map((each) => [
    ...[each.dialect, `${each.connectMs}`, `${each.published - each.lost}/${each.published}`],
    ...[
      `${each.latencyMs?.median ?? "-"}`,
      `${each.latencyMs?.max ?? "-"}`,
      `${each.recoveryMs ?? "-"}`,
    ],
  ]);
  const titles = ["DIALECT", "CONNECT MS", "ARRIVED", "LATENCY MS", "MOST", "BACK AFTER MS"];
  return [
    ...(rows.length === 0 ? [] : [...tableLines(titles, rows), ""]),
    ...findings.flatMap(findingLines),
    severity === "healthy" || severity === "note" ? "Nothing is wrong." : summaryOf(findings),
  ];
}

function findingLines({ severity, id, about, message, remedy }: Finding): readonly string[] {
  const first = `${MARKS[severity]} ${about.map(printable).join(", ")}: ${printable(message)} [${id}]`;
  return remedy === undefined ? [first] : [first, `    ${printable(remedy)}`];
}

function summaryOf(findings: readonly Finding[]): string {
  const count = (severity: Finding["severity"]) =>
    findings.filter((finding) => finding.severity === severity).length;
  return `${count("error")} to mend, ${count("warning")} to look at.`;
}

/** What a terminal shows once the server serves: where everything is, how much it may hold, and what to look at. */
import { DEVELOPMENT_API_KEY } from "../config/development.ts";
import { formatPath } from "../config/problem.ts";
import { warningsOf, type Config } from "../dialects/configuration.ts";
import type { Endpoint } from "../operations/endpoints.ts";
import { tableLines } from "./table.ts";

export interface Booted {
  readonly config: Config;
  readonly version: string;
  readonly clientsUrl: string;
  readonly apiUrl: string;
  /** All nodes, where there are several; the addresses above are the first one's. */
  readonly nodes: readonly { readonly clientsUrl: string; readonly apiUrl: string }[];
  readonly endpoints: readonly Endpoint[];
  readonly machine: Machine;
}

export interface Machine {
  /** Undefined: not known. */
  readonly openFilesMax: number | undefined;
  /** What this process may have. */
  readonly memoryBytes: number;
}

/** Each connection is an open file, and a machine's own default of 1,024 is for desktops. */
const OPEN_FILES_MIN = 4096;
/** The server takes a quarter of it before anybody connects. */
const MEMORY_BYTES_MIN = 256 * 1024 ** 2;

export function bootText(booted: Booted): string {
  const { config } = booted;
  return [
    "",
    headline(booted),
    ...addressLines(booted),
    "",
    ...endpointLines(booted.endpoints),
    "",
    ...limitLines(booted),
    ...warningLines(booted),
    ...(config.development ? tryLines(booted) : []),
    "",
  ].join("\n");
}

function headline({ config, version, nodes }: Booted): string {
  const mode = config.development ? " in development mode, for this machine only" : "";
  if (nodes.length > 0) {
    return `Carillon ${version}${mode} (${nodes.length} nodes, which share a Redis until they end)`;
  }
  const engine = config.engine === "embedded" ? `${config.data_dir}` : "Redis";
  const processes = config.workers > 1 ? `, ${config.workers} processes` : "";
  return `Carillon ${version}${mode} (${config.engine} engine: ${engine}${processes})`;
}

function addressLines({ config, clientsUrl, apiUrl, nodes }: Booted): readonly string[] {
  const rows = [
    ["clients", clientsUrl],
    ...(config.development ? [["playground", `${clientsUrl}/`]] : []),
    ["api", apiUrl],
    ["console", `${apiUrl}/admin`],
    ["health", `${apiUrl}/ready   /metrics   /openapi.json`],
    ...nodes.map((node, at) => [`node ${at + 1}`, `${node.clientsUrl}   ${node.apiUrl}`]),
  ];
  return rows.map(([name = "", url = ""]) => `  ${name.padEnd(10)}  ${url}`);
}

function endpointLines(endpoints: readonly Endpoint[]): readonly string[] {
  const rows = endpoints.map(({ dialect, clients, api, own }) => [
    ...[dialect, clients.join(" ") || "-"],
    [...api, ...(own === undefined ? [] : [own])].join(" ") || "-",
  ]);
  return tableLines(["DIALECT", "ON CLIENTS", "ON API"], rows).map((line) => `  ${line}`);
}

function limitLines({ config, machine }: Booted): readonly string[] {
  const { openFilesMax, memoryBytes } = machine;
  const limits = [
    `${openFilesMax ?? "an unknown number of"} open files`,
    `${sizeOf(memoryBytes)} of memory`,
    `${config.api.publishes_in_flight_max} publishing calls at once`,
    `channel names of ${config.channel.max_length} bytes`,
  ];
  return [`  limits      ${limits.join(", ")}`];
}

function sizeOf(bytes: number): string {
  const gigabytes = bytes / 1024 ** 3;
  return gigabytes >= 1 ? `${gigabytes.toFixed(1)} GB` : `${Math.round(bytes / 1024 ** 2)} MB`;
}

function* warningLines({ config, machine }: Booted): Iterable<string> {
  const { openFilesMax, memoryBytes } = machine;
  const warnings = config.development
    ? ["development keys and secrets, which everybody knows: carillon init makes your own"]
    : warningsOf(config).map(({ path, message }) => `${formatPath(path)}: ${message}`);
  if (openFilesMax !== undefined && openFilesMax < OPEN_FILES_MIN) {
    warnings.push(
      `${openFilesMax} open files, each connection being one: raise it by ulimit -n or LimitNOFILE`,
    );
  }
  if (memoryBytes < MEMORY_BYTES_MIN) {
    warnings.push(
      `${sizeOf(memoryBytes)} of memory are few: give it ${sizeOf(MEMORY_BYTES_MIN)} or more`,
    );
  }
  for (const warning of warnings) yield `  warning     ${warning}`;
}

function tryLines({ config, clientsUrl, apiUrl }: Booted): readonly string[] {
  const body = `'{"channel":"public:news","data":{"text":"Hello"}}'`;
  const publish = `${apiUrl}${config.streaming.api_path}/publish`;
  return [
    ...[
      "",
      "Open the playground in a browser to watch each protocol's client. Or try, each in a terminal of its own:",
    ],
    `  npx carillon subscribe public:news --url ${clientsUrl}`,
    `  npx carillon publish public:news '{"text":"Hello"}' --url ${apiUrl}`,
    `  curl ${publish} -H 'X-API-Key: ${DEVELOPMENT_API_KEY}' -d ${body}`,
    `  npx carillon doctor ${clientsUrl} --api ${apiUrl} --quick`,
  ];
}

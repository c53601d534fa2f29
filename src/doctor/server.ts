/** What the server says of itself: whether it is ready, its clock, its open files, and what it serves. */
import { z } from "zod";
import type { Exchanged } from "./exchange.ts";
import type { Checking } from "./context.ts";
import { reach } from "./reach.ts";

/** Signatures and tokens are judged by the second. */
const CLOCK_WARNING_MS = 5_000;
const CLOCK_ERROR_MS = 60_000;
/** Each connection is one; a machine's own default of 1,024 is for desktops. */
const OPEN_FILES_MIN = 4096;

const readiness = z.object({ ready: z.boolean(), reason: z.string().optional() });
const about = z.object({ version: z.string(), dialects: z.array(z.string()) });
const nodes = z.object({
  data: z.array(
    z.object({
      id: z.string(),
      process: z.object({ host: z.string(), open_files_max: z.number().optional() }).optional(),
    }),
  ),
});

export interface ServerFacts {
  readonly clientsAnswer: boolean;
  /** False: it is not reached, or says that it cannot serve. */
  readonly apiAnswers: boolean;
  /** The server is there and cannot serve now, so that looking further would find the same again. */
  readonly waits: boolean;
  /** Undefined: it does not tell us. */
  readonly dialects: readonly string[] | undefined;
}

export async function checkServer(checking: Checking): Promise<ServerFacts> {
  const [clients, ready] = await Promise.all([
    reach(checking, "clients", "/"),
    reach(checking, "api", "/ready"),
  ]);
  const from = ready ?? clients;
  if (from !== undefined) checkClock(checking, from);
  const waits = ready !== undefined && !isReady(checking, ready);
  const apiAnswers = ready !== undefined && !waits;
  const clientsAnswer = clients !== undefined && isServed(checking, clients);
  if (!apiAnswers) return { clientsAnswer, apiAnswers, waits, dialects: undefined };
  return { clientsAnswer, apiAnswers, waits, dialects: await askAdmin(checking) };
}

/** A proxy's own answers, while it has no server behind it. */
function isServed({ findings, clientsUrl }: Checking, { status }: Exchanged): boolean {
  if (status < 502 || status > 504) return true;
  findings.add({
    ...{ severity: "error", id: "clients-unreachable", about: [clientsUrl] },
    message: `The proxy answers ${status}: it reaches no server that is ready`,
    remedy: "Start the server behind it, and check the address that the proxy passes requests to",
  });
  return false;
}

function isReady({ findings, apiUrl }: Checking, { status, body }: Exchanged): boolean {
  const json = /\{.*\}/s.exec(body)?.[0] ?? "";
  const parsed = readiness.safeParse(jsonOf(json));
  if (status === 200 && parsed.data?.ready === true) return true;
  const known = parsed.success;
  findings.add({
    ...{ severity: "error", id: known ? "not-ready" : "not-api", about: [apiUrl] },
    message: known
      ? `The server is not ready: ${parsed.data.reason ?? "it gives no reason"}`
      : `/ready answers ${status}, not as the api listener does`,
    remedy: known
      ? "Mend what it names (Redis at redis.url, the disk of data_dir); it goes on by itself. Its log has more"
      : "Give the api listener's address by --api",
  });
  return false;
}

function checkClock({ findings, runtime, apiUrl }: Checking, { headers }: Exchanged): void {
  const theirs = Date.parse(headers.get("date") ?? "");
  if (Number.isNaN(theirs)) return;
  const offMs = Math.abs(theirs - runtime.clock.epochMs());
  if (offMs < CLOCK_WARNING_MS) return;
  const seconds = Math.round(offMs / 1000);
  const off = seconds < 120 ? `${seconds} s` : `${Math.round(seconds / 60)} min`;
  findings.add({
    ...{ severity: offMs >= CLOCK_ERROR_MS ? "error" : "warning", id: "clock", about: [apiUrl] },
    message: `The clocks of this machine and of the server are ${off} apart: tokens count as expired, or as not yet valid`,
    remedy: "Have both machines keep time by NTP: timedatectl set-ntp true",
  });
}

async function askAdmin(checking: Checking): Promise<readonly string[] | undefined> {
  const { findings, apiUrl } = checking;
  const [server, listed] = await Promise.all([
    askJson(checking, "server", about),
    askJson(checking, "nodes", nodes),
  ]);
  if (listed === undefined) {
    findings.add({
      ...{ severity: "note", id: "admin", about: [apiUrl] },
      message: "The limit of open files was not looked at: that takes a key with the scope admin",
    });
  }
  for (const { process } of listed?.data ?? []) {
    const { open_files_max: most, host = "" } = process ?? {};
    if (most === undefined || most >= OPEN_FILES_MIN) continue;
    findings.add({
      ...{ severity: "warning", id: "open-files", about: [host] },
      message: `The server may open ${most} files, each connection being one`,
      remedy:
        "Raise it: LimitNOFILE=1048576 in the systemd unit, ulimits.nofile in a compose file, or ulimit -n 1048576",
    });
  }
  return server?.dialects;
}

async function askJson<Answer>(
  { post, apiUrl, key, app }: Checking,
  path: string,
  answer: z.ZodType<Answer>,
): Promise<Answer | undefined> {
  const url = new URL(`${apiUrl}/admin/api/${path}?app=${encodeURIComponent(app.id)}`);
  const headers = key === undefined ? {} : { "x-api-key": key };
  try {
    const { body } = await post(url, { headers });
    return answer.safeParse(jsonOf(body)).data;
  } catch {
    return undefined;
  }
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

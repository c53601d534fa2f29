/**
 * Checks a running server from outside, as its clients and backends see it, and says what to change. It stops at the first cause: what
 * cannot work because of another finding is not looked at.
 */
import { isServed } from "../config/part.ts";
import type { AskedProbe } from "../dialects/probe.ts";
import type { Checking } from "./context.ts";
import { checkKeys } from "./keys.ts";
import { checkOrigins } from "./origins.ts";
import { checkBuffering, checkIdle } from "./proxy.ts";
import { tryDialect, type Tried } from "./protocol.ts";
import { Findings, type Report } from "./report.ts";
import { checkServer } from "./server.ts";
import { createAnsweringPeers, type AnsweringPeers } from "./webrtc.ts";

export type { Finding, Report } from "./report.ts";
export type DoctorOptions = Omit<Checking, "findings">;

/** The whole of it. */
const RUN_MS_MAX = 60_000;

export async function examine(options: DoctorOptions): Promise<Report> {
  const findings = new Findings();
  const checking: Checking = { ...options, findings };
  const peers = createAnsweringPeers();
  const opened: Tried[] = [];
  const late = Promise.withResolvers<void>();
  const timer = options.runtime.timers.after(RUN_MS_MAX, () => {
    const message = `Not all was looked at within ${RUN_MS_MAX / 1000} s`;
    const remedy = "See to the other findings first, and run it again";
    findings.add({ severity: "error", id: "time", about: [options.clientsUrl], message, remedy });
    late.resolve();
  });
  try {
    await Promise.race([late.promise, runChecks(checking, { peers, opened })]);
  } finally {
    timer.cancel();
    for (const { open, client } of opened) {
      open.cut();
      await client.close?.();
    }
    peers.close();
  }
  return findings.report();
}

interface Opened {
  readonly peers: AnsweringPeers;
  /** To be closed. */
  readonly opened: Tried[];
}

async function runChecks(checking: Checking, { peers, opened }: Opened): Promise<void> {
  const tokenIsGood = checkKeys(checking);
  const { clientsAnswer, apiAnswers, waits, dialects } = await checkServer(checking);
  if (!clientsAnswer || waits || !tokenIsGood) return;
  const served = checking.dialects.filter((dialect) =>
    dialects === undefined ? isServed(dialect, checking.config) : dialects.includes(dialect.name),
  );
  const asked = askedOf(checking, peers);
  const tried = await Promise.all(
    served.map(async (dialect) => {
      const probe = await dialect.loadProbe?.();
      // Without the API nothing is published, and some have no token.
      if (probe === undefined || !apiAnswers) return undefined;
      return tryDialect(checking, dialect.name, { probe, asked });
    }),
  );
  opened.push(...tried.filter((each) => each !== undefined));
  const joining = opened.find(({ dialect }) =>
    served.some(({ name, joinsChannels }) => name === dialect && joinsChannels),
  );
  await Promise.all([
    ...opened.map((each) => checkBuffering(checking, each)),
    joining === undefined ? undefined : checkOrigins(checking, joining.client.path),
    checking.quick ? undefined : checkIdle(checking, opened),
  ]);
}

function askedOf(checking: Checking, peers: AnsweringPeers): AskedProbe {
  const { config, app, clientsUrl, apiUrl, key, developmentKey, token, channel, post } = checking;
  const { clock, random } = checking.runtime;
  return {
    ...{ config, app, clientsUrl, apiUrl, key, developmentKey, token, channel, post },
    epochMs: clock.epochMs(),
    mark: random.uuid().slice(0, 8),
    answerOffer: (sdp) => peers.answerOffer(sdp),
  };
}

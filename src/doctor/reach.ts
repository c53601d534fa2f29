/** Whether an address answers, and if not why: names, ports, TLS on one side alone, certificates. */
import type { Exchanged } from "./exchange.ts";
import { exchange, Unreachable } from "./exchange.ts";
import { ANSWER_MS, isLocal, type Checking } from "./context.ts";
import type { Finding } from "./report.ts";

const DAY_MS = 86_400_000;
/** By then a renewal has failed for weeks. */
const CERTIFICATE_DAYS_MIN = 14;

export type Listener = "clients" | "api";

/** Undefined: it does not answer, and a finding says why. */
export async function reach(
  checking: Checking,
  listener: Listener,
  path: string,
): Promise<Exchanged | undefined> {
  const { findings, runtime } = checking;
  const base = listener === "clients" ? checking.clientsUrl : checking.apiUrl;
  const url = new URL(base + path);
  const add = (finding: Omit<Finding, "about">) => findings.add({ ...finding, about: [base] });
  try {
    const answer = await exchange(url, { timers: runtime.timers, timeoutMs: ANSWER_MS });
    if (
      url.protocol === "http:" &&
      (wantsTls(answer) || (answer.status === 400 && (await isTls(checking, url))))
    ) {
      add(plainFinding(url));
      return undefined;
    }
    checkCertificate(checking, base, answer);
    if (url.protocol === "http:" && listener === "clients" && !isLocal(base)) add(UNENCRYPTED);
    return answer;
  } catch (error) {
    if (!(error instanceof Unreachable)) throw error;
    const hidden =
      url.protocol === "http:" && error.kind === "closed" && (await isTls(checking, url));
    add(hidden ? plainFinding(url) : unreachableFinding(error, listener, url));
    return undefined;
  }
}

const UNENCRYPTED: Omit<Finding, "about"> = {
  ...{ severity: "warning", id: "tls-missing" },
  message: "Clients connect over plain http: tokens and payloads can be read on the way",
  remedy: "Put a proxy with TLS in front, or set clients.tls.cert and clients.tls.key",
};

/** A redirect, or the words in which nginx and others say so. */
function wantsTls({ status, headers, body }: Exchanged): boolean {
  if (status >= 300 && status < 400) return /^https:/.test(headers.get("location") ?? "");
  return (
    status === 400 && /plain HTTP request was sent to HTTPS|HTTP request to an HTTPS/i.test(body)
  );
}

async function isTls({ runtime }: Checking, url: URL): Promise<boolean> {
  const secure = new URL(url);
  secure.protocol = "https:";
  secure.port = url.port || "443";
  try {
    await exchange(secure, { timers: runtime.timers, timeoutMs: ANSWER_MS, until: "head" });
    return true;
  } catch (error) {
    return error instanceof Unreachable && error.kind === "certificate";
  }
}

function plainFinding({ host }: URL): Omit<Finding, "about"> {
  return {
    ...{ severity: "error", id: "tls-plain" },
    message: `${host} speaks TLS, and was asked over plain http`,
    remedy: `Use https://${host}, and wss:// for sockets`,
  };
}

function unreachableFinding(
  { kind, message }: Unreachable,
  listener: Listener,
  { hostname, host }: URL,
): Omit<Finding, "about"> {
  if (kind === "certificate" || kind === "not tls") {
    const { id, remedy } = TLS_FAULTS[kind];
    return { severity: "error", id, message: `TLS with ${host} fails: ${message}`, remedy };
  }
  return {
    ...{ severity: "error", id: `${listener}-unreachable` },
    message: `The ${listener} listener does not answer: ${message}`,
    remedy: remedyOf(kind, listener, hostname),
  };
}

const TLS_FAULTS = {
  certificate: {
    id: "tls-certificate",
    remedy:
      "Serve a certificate of this name with its whole chain; for an authority of your own set NODE_EXTRA_CA_CERTS",
  },
  "not tls": {
    id: "tls-missing",
    remedy: "Use http:// here, or give the listener its certificate: tls.cert and tls.key",
  },
};

function remedyOf(kind: Unreachable["kind"], listener: Listener, hostname: string): string {
  if (kind === "name") return `Correct the address: "${hostname}" has no entry in the DNS`;
  const isApi = listener === "api";
  if (kind === "timeout") {
    const where = isApi
      ? "run this where your backend runs"
      : "look whether the proxy has a server behind it";
    return `Open the port in the firewall, or ${where}`;
  }
  const start = `Start the server, and check ${listener}.host and ${listener}.port`;
  return isApi ? `${start}; its address is given by --api` : start;
}

function checkCertificate(
  { findings, runtime }: Checking,
  base: string,
  { certificateUntilMs }: Exchanged,
): void {
  if (certificateUntilMs === undefined) return;
  const days = Math.floor((certificateUntilMs - runtime.clock.epochMs()) / DAY_MS);
  if (days >= CERTIFICATE_DAYS_MIN) return;
  findings.add({
    ...{ severity: "warning", id: "tls-expires", about: [base] },
    message: `The certificate ends in ${days} days`,
    remedy: "Renew it now, and find out why that was not done by itself",
  });
}

/** Session descriptions and ICE candidates as text (RFC 8839, RFC 8841): what is offered, and what of an answer is let in. */
import { isIP } from "node:net";
import type { PeerCandidate } from "../data-channels.ts";

/** Browsers' answers have under 2 KiB. */
const SDP_CHARS_MAX = 65_536;
const CANDIDATE_CHARS_MAX = 1024;
/** Of one peer: a machine with several networks has about ten. */
export const CANDIDATES_MAX = 64;

const CANDIDATE = /^a=candidate:/;

interface TemplateOptions {
  /** Empty: the machine's own stay. */
  readonly advertisedAddresses: readonly string[];
  readonly messageBytesMax: number;
}

/** What every offer of a port looks like, from the library's description. */
export function templateOf(sdp: string, options: TemplateOptions): string {
  const { advertisedAddresses, messageBytesMax } = options;
  const seen = new Set<string>();
  const lines = linesOf(sdp)
    .flatMap((line) => (CANDIDATE.test(line) ? advertised(line, advertisedAddresses) : [line]))
    .filter((line) => !CANDIDATE.test(line) || (!seen.has(line) && seen.add(line)));
  return textOf(lines).replace(/^(a=max-message-size:).*/m, `$1${messageBytesMax}`);
}

interface OfferOptions {
  /** The peer's own (RFC 8839 §5.4). */
  readonly ufrag: string;
  readonly password: string;
  readonly sessionId: number;
  /** Counts the offers of one peer, from 0. */
  readonly version: number;
}

export function offerOf(template: string, options: OfferOptions): string {
  const { ufrag, password, sessionId, version } = options;
  return (
    template
      // RFC 3264 §8: each description of a session has the next version.
      .replace(/^(o=\S+) \S+ \d+ /m, `$1 ${sessionId} ${version} `)
      .replace(/^(a=ice-ufrag:).*/m, `$1${ufrag}`)
      .replace(/^(a=ice-pwd:).*/m, `$1${password}`)
  );
}

interface Answer {
  /** As the library takes it: see `peer.ts`. */
  readonly sdp: string;
  readonly ufrag: string;
  readonly candidates: readonly string[];
}

/**
 * Undefined: nothing that could be an answer. Candidates come apart, for each is worth no more than one that trickles in. The library is
 * to be ICE's controlling side, as who offers is (RFC 8445 §6.1.1); to a peer that is "lite" it always is.
 */
export function answerOf(text: string): Answer | undefined {
  if (text.length > SDP_CHARS_MAX) return undefined;
  const lines = linesOf(text);
  const ufrag = lines.find((line) => line.startsWith("a=ice-ufrag:"))?.slice("a=ice-ufrag:".length);
  const section = lines.findIndex((line) => line.startsWith("m="));
  const isOne = lines[section]?.startsWith("m=application ") && !lines.some(isFurther(section));
  const hasRole = lines.some((line) => /^a=setup:(?:active|passive)$/.test(line));
  if (ufrag === undefined || !isOne || !hasRole) return undefined;
  const [candidates, others] = [
    lines.filter(isCandidate),
    lines.toSpliced(section, 0, "a=ice-lite").filter((line) => !isCandidate(line)),
  ];
  return { ufrag, candidates, sdp: textOf(others) };
}

const isFurther = (section: number) => (line: string, at: number) =>
  at > section && line.startsWith("m=");

const isCandidate = (line: string) => CANDIDATE.test(line);

/** `""`: the last one, which is empty, or one that is not an address to be reached by UDP; undefined: it is none. */
export function candidateOf({ candidate }: PeerCandidate): string | undefined {
  const text = candidate.trim().replace(/^a=/, "");
  if (text === "") return "";
  if (text.length > CANDIDATE_CHARS_MAX || !/^candidate:[^\r\n]+$/.test(text)) return undefined;
  return isReachable(text) ? text : "";
}

/** `candidate:<foundation> <component> <transport> <priority> <address> <port> typ <type> …` */
function isReachable(candidate: string): boolean {
  const [, , transport = "", , address = "", port = ""] = candidate.split(" ");
  return transport.toLowerCase() === "udp" && isIP(address) !== 0 && /^\d{1,5}$/.test(port);
}

function advertised(line: string, addresses: readonly string[]): string[] {
  const parts = line.split(" ");
  if (addresses.length === 0 || parts[7] !== "host") return [line];
  return addresses.map((address, index) => {
    const [foundation, component, transport, priority, , ...rest] = parts;
    // One foundation per address, and each with a priority of its own (RFC 8445 §5.1).
    const own = `${foundation}${index === 0 ? "" : index}`;
    return [own, component, transport, Number(priority) - index, address, ...rest].join(" ");
  });
}

const textOf = (lines: readonly string[]) => lines.map((line) => `${line}\r\n`).join("");

function linesOf(sdp: string): string[] {
  return sdp.split(/\r?\n/).filter((line) => line !== "");
}

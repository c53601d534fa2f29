/** Session descriptions and ICE candidates as text (RFC 8839, RFC 8841): what is offered, and what of an answer is let in. */
import { isIP } from "node:net";
import type { PeerCandidate } from "../data-channels.ts";

/** Browsers' answers have under 2 KiB. */
const SDP_CHARS_MAX = 65_536;
const CANDIDATE_CHARS_MAX = 1024;
/** Of one peer: a machine with several networks has about ten. */
export const CANDIDATES_MAX = 64;

const CANDIDATE = /^a=candidate:/;

interface OfferOptions {
  /** Empty: the machine's own stay. */
  readonly advertisedAddresses: readonly string[];
  readonly messageBytesMax: number;
  /** Counts the offers of one peer, from 0. */
  readonly version: number;
}

/** The library's description as it is offered. */
export function offerOf(sdp: string, options: OfferOptions): string {
  const { advertisedAddresses, messageBytesMax, version } = options;
  const seen = new Set<string>();
  return linesOf(sdp)
    .flatMap((line) => (CANDIDATE.test(line) ? advertised(line, advertisedAddresses) : [line]))
    .filter((line) => !CANDIDATE.test(line) || (!seen.has(line) && seen.add(line)))
    .map((line) => {
      if (line.startsWith("a=max-message-size:")) return `a=max-message-size:${messageBytesMax}`;
      // RFC 3264 §8: each description of a session has the next version.
      return line.replace(/^(o=\S+ \S+) \d+ /, `$1 ${version} `);
    })
    .map((line) => `${line}\r\n`)
    .join("");
}

interface Answer {
  readonly sdp: string;
  readonly ufrag: string;
  readonly candidates: readonly string[];
}

/** Undefined: nothing that could be an answer. Candidates come apart, for each is worth no more than one that trickles in. */
export function answerOf(text: string): Answer | undefined {
  if (text.length > SDP_CHARS_MAX) return undefined;
  const lines = linesOf(text);
  const ufrag = lines.find((line) => line.startsWith("a=ice-ufrag:"))?.slice("a=ice-ufrag:".length);
  if (ufrag === undefined) return undefined;
  const [candidates, others] = [
    lines.filter(isCandidate),
    lines.filter((line) => !isCandidate(line)),
  ];
  return { ufrag, candidates, sdp: others.map((line) => `${line}\r\n`).join("") };
}

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

function linesOf(sdp: string): string[] {
  return sdp.split(/\r?\n/).filter((line) => line !== "");
}

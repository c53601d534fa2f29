/** One HTTP exchange on a bare connection: sees what clients hide, such as the answer to a refused upgrade and when the first byte came. */
import { connect as connectTcp, isIP, type Socket } from "node:net";
import { connect as connectTls, type TLSSocket } from "node:tls";
import type { Timers } from "../core/runtime.ts";

/** How far an answer is read. */
type Until = "head" | "first byte" | "end";

export interface ExchangeOptions {
  readonly headers?: Readonly<Record<string, string>>;
  readonly until?: Until;
  readonly timers: Timers;
  readonly timeoutMs: number;
}

export interface Exchanged {
  readonly status: number;
  /** Names in lower case. */
  readonly headers: ReadonlyMap<string, string>;
  /** As far as it was read; chunks as they came. */
  readonly body: string;
  /** When the certificate ends; absent without TLS. */
  readonly certificateUntilMs?: number;
}

type UnreachableKind =
  | "name"
  | "refused"
  | "timeout"
  | "closed"
  | "certificate"
  | "not tls"
  | "other";

export class Unreachable extends Error {
  override readonly name = "Unreachable";
  readonly kind: UnreachableKind;
  /** The answer's head had come. */
  readonly began: boolean;

  constructor(kind: UnreachableKind, message: string, began = false) {
    super(message);
    this.kind = kind;
    this.began = began;
  }
}

/** RFC 6455 §1.3, whose sample key is as good as any where nothing follows. */
export const UPGRADE = {
  connection: "Upgrade",
  upgrade: "websocket",
  "sec-websocket-version": "13",
  "sec-websocket-key": "dGhlIHNhbXBsZSBub25jZQ==",
};

const BYTES_MAX = 262_144;
const HEAD_END = "\r\n\r\n";

/** A GET. Throws Unreachable. */
export function exchange(url: URL, options: ExchangeOptions): Promise<Exchanged> {
  const { until = "end", timers, timeoutMs } = options;
  return new Promise((resolve, reject) => {
    let received = "";
    let certificateUntilMs: number | undefined;
    let over = false;
    const socket = open(url, () => {
      // Once the connection has ended there is none.
      certificateUntilMs = certificateEnd(socket);
      socket.write(requestText(url, options.headers ?? {}));
    });
    const hasHead = () => received.includes(HEAD_END);
    const timer = timers.after(timeoutMs, () => fail(timedOut(timeoutMs, hasHead())));

    function end(settle: () => void): void {
      if (over) return;
      over = true;
      timer.cancel();
      socket.destroy();
      settle();
    }
    const fail = (error: Unreachable) => end(() => reject(error));
    const finish = () => {
      const answer = parsed(received);
      const until = certificateUntilMs === undefined ? {} : { certificateUntilMs };
      if (answer !== undefined) return end(() => resolve({ ...answer, ...until }));
      fail(new Unreachable("closed", "The connection ended without an answer"));
    };

    socket.setEncoding("latin1");
    socket.on("data", (chunk: string) => {
      received += chunk;
      if (isWhole(received, until) || received.length > BYTES_MAX) finish();
    });
    socket.on("end", finish);
    socket.on("close", finish);
    socket.on("error", (error: Error & { readonly code?: string }) => fail(unreachable(error)));
  });
}

function open({ protocol, hostname, port }: URL, onOpen: () => void): Socket {
  const host = hostname.replace(/^\[|\]$/g, "");
  if (protocol !== "https:") return connectTcp({ host, port: Number(port || 80) }, onOpen);
  const named = isIP(host) === 0 ? { servername: host } : {};
  return connectTls({ host, port: Number(port || 443), ...named }, onOpen);
}

function requestText({ pathname, search, host }: URL, headers: Readonly<Record<string, string>>) {
  const all = { host, connection: "close", "user-agent": "carillon-doctor", ...headers };
  const lines = Object.entries(all).map(([name, value]) => `${name}: ${value}`);
  return `GET ${pathname}${search} HTTP/1.1\r\n${lines.join("\r\n")}${HEAD_END}`;
}

function isWhole(text: string, until: Until): boolean {
  const head = text.indexOf(HEAD_END);
  if (head < 0) return false;
  if (until === "head") return true;
  const bodyBytes = text.length - head - HEAD_END.length;
  if (until === "first byte") return bodyBytes > 0;
  const length = /\r\ncontent-length: *(\d+)/i.exec(text.slice(0, head))?.[1];
  return length !== undefined && bodyBytes >= Number(length);
}

function parsed(text: string): Exchanged | undefined {
  const at = text.indexOf(HEAD_END);
  const [first = "", ...lines] = text.slice(0, at).split("\r\n");
  const status = Number(/^HTTP\/1\.[01] (\d{3})/.exec(first)?.[1]);
  if (at < 0 || !Number.isInteger(status)) return undefined;
  const headers = lines.map((line): [string, string] => {
    const colon = line.indexOf(":");
    return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()];
  });
  return { status, headers: new Map(headers), body: text.slice(at + HEAD_END.length) };
}

function certificateEnd(socket: Socket): number | undefined {
  if (!("getPeerCertificate" in socket)) return undefined;
  const { valid_to: validTo } = (socket as TLSSocket).getPeerCertificate();
  return validTo ? Date.parse(validTo) : undefined;
}

function timedOut(timeoutMs: number, began: boolean): Unreachable {
  return new Unreachable("timeout", `No answer within ${timeoutMs / 1000} s`, began);
}

const KINDS: Readonly<Record<string, UnreachableKind>> = {
  ENOTFOUND: "name",
  EAI_AGAIN: "name",
  ECONNREFUSED: "refused",
  ETIMEDOUT: "timeout",
  EHOSTUNREACH: "timeout",
  ECONNRESET: "closed",
  EPIPE: "closed",
  EPROTO: "not tls",
};

function unreachable({ code = "", message }: Error & { readonly code?: string }): Unreachable {
  const known = KINDS[code];
  if (known !== undefined) return new Unreachable(known, message || code);
  if (/WRONG_VERSION|ERR_SSL|UNKNOWN_PROTOCOL|TLSV1/.test(`${code} ${message}`)) {
    return new Unreachable("not tls", message || code);
  }
  const isAboutCertificate = /CERT|SELF_SIGNED|UNABLE_TO_|ALTNAME/.test(code);
  return new Unreachable(isAboutCertificate ? "certificate" : "other", message || code);
}

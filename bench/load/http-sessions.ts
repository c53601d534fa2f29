/**
 * A load process: sessions over HTTP, whose last request is one that the server keeps waiting or goes on answering. Its input line is an
 * `HttpSessionsSpec`; it answers once all of them are there, and holds them.
 */
import type { Socket } from "bun";
import { fail, readLines, writeLine } from "../../src/bench/load/lines.ts";

export interface HttpSessionsSpec {
  readonly host: string;
  readonly port: number;
  /** As on the wire. `%d` is the session's number, `%s` its entry of `texts`, `%l` its body's bytes. */
  readonly request: string;
  readonly texts: readonly string[];
  readonly connections: number;
  /** The number of the first session. */
  readonly first: number;
  /** What a session has received once it is there. */
  readonly marker: string;
  /** An answer that ends is followed by the same request. */
  readonly polls: boolean;
}

const AT_A_TIME = 100;
const HEAD_END = "\r\n\r\n";

interface Session {
  readonly request: string;
  answer: string;
  there: boolean;
}

function hold(spec: HttpSessionsSpec): void {
  const { host: hostname, port, connections, marker, polls } = spec;
  let opened = 0;
  let there = 0;
  const next = () => {
    if (opened < connections) open(spec.first + opened++);
  };

  function open(index: number): void {
    const text = spec.texts[index] ?? "";
    const filled = spec.request.replaceAll("%d", `${index}`).replaceAll("%s", text);
    const [, body = ""] = filled.split(HEAD_END);
    const request = filled.replace("%l", `${Buffer.byteLength(body)}`);
    const data: Session = { request, answer: "", there: false };
    const lost = () => fail("The server ended a session");
    const socket = { open: ask, data: received, close: lost, connectError: lost };
    void Bun.connect<Session>({ hostname, port, data, socket });
  }

  function received(socket: Socket<Session>, chunk: Buffer): void {
    const session = socket.data;
    if (session.there && !polls) return;
    session.answer += chunk.toString("latin1");
    if (!session.answer.startsWith("HTTP/1.1 200".slice(0, session.answer.length))) {
      fail(`A session was refused: ${session.answer.slice(0, 300)}`);
    }
    const isThere = session.there || session.answer.includes(marker);
    if (polls && isWhole(session.answer)) ask(socket);
    if (session.there || !isThere) return;
    session.there = true;
    session.answer = "";
    there += 1;
    if (there === connections) writeLine({ there });
    next();
  }

  for (let some = 0; some < Math.min(AT_A_TIME, connections); some += 1) next();
}

function ask(socket: Socket<Session>): void {
  socket.data.answer = "";
  socket.write(socket.data.request);
}

function isWhole(answer: string): boolean {
  const head = answer.indexOf(HEAD_END);
  if (head < 0) return false;
  const length = /\r\ncontent-length: *(\d+)/i.exec(answer.slice(0, head))?.[1];
  if (length === undefined) return answer.endsWith(`0${HEAD_END}`);
  return answer.length >= head + HEAD_END.length + Number(length);
}

await readLines(Bun.stdin.stream(), (line) => hold(line as HttpSessionsSpec));
process.exit(0);

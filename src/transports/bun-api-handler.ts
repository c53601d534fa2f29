/** Answers calls of the `api` listener on a server of Bun's. Bodies of GETs are dropped there, and headers have 16 KiB. */
import type { Server } from "bun";
import { BAD_TARGET, textAnswer, type ApiAnswer } from "./api-call.ts";
import { BODIES_BYTES_MAX, type ApiListenerOptions } from "./api-listener.ts";
import { Arrivals, BunCall } from "./bun-api-call.ts";
import { createTargets } from "./call-target.ts";
import { BodyMemory } from "./request-body.ts";

/** Bun counts them in one byte. */
const IDLE_SECONDS_MAX = 255;

const BUG = textAnswer(500, "internal error\n");

export interface BunApiHandler {
  /** What is not read of a body is dropped behind the answer. Never rejects. */
  handle(
    this: void,
    request: Request,
    server: Pick<Server<unknown>, "timeout">,
  ): Response | Promise<Response>;
  /** Answers to a request that failed before it came here. */
  failed(this: void, error: unknown): Response;
  /** As `ApiListener`. */
  endConnections(this: void): void;
  /** Bodies that are yet to arrive are not waited for. */
  close(): void;
}

export type BunApiHandlerOptions = Pick<
  ApiListenerOptions,
  "keepAliveTimeoutMs" | "findMount" | "answer" | "timers" | "onBug"
>;

export function createBunApiHandler(options: BunApiHandlerOptions): BunApiHandler {
  const { answer, onBug } = options;
  const findTarget = createTargets(options.findMount);
  const calls = {
    memory: new BodyMemory(BODIES_BYTES_MAX),
    arrivals: new Arrivals(options.timers),
  };
  const keepAliveSeconds = Math.min(Math.ceil(options.keepAliveTimeoutMs / 1000), IDLE_SECONDS_MAX);
  const kept = createHeaders({
    Connection: "keep-alive",
    "Keep-Alive": `timeout=${keepAliveSeconds}`,
  });
  const last = createHeaders({ Connection: "close" });
  let ending = false;

  function handle(
    request: Request,
    server: Pick<Server<unknown>, "timeout">,
  ): Response | Promise<Response> {
    const { url } = request;
    // Bun makes the URL of the request line, with the host in front if it is one. HTTP/1.0 needs none; of two Bun makes a list.
    const path = url.startsWith("/") ? url : url.slice(url.indexOf("/", url.indexOf("//") + 2));
    const target = findTarget(request.headers.get("host") ?? "localhost", path);
    if (target === undefined) return written(BAD_TARGET, last);
    const call = new BunCall(request, target, calls);
    const finish = (given: ApiAnswer): Response => {
      call.release();
      // Of the connection, until the next request: Bun knows one time-out.
      server.timeout(request, keepAliveSeconds);
      const shown = call.method === "HEAD" ? { ...given, body: "" } : given;
      const ends =
        ending || call.isCut || call.headers.get("connection")?.toLowerCase() === "close";
      return written(shown, ends ? last : kept);
    };
    const failed = (error: unknown): Response => {
      onBug(error, "an API call");
      call.release();
      return written(BUG, last);
    };
    try {
      const answered = answer(call);
      if (!(answered instanceof Promise)) return finish(answered);
      // The answer may take its time, where the body may not: `Arrivals`.
      server.timeout(request, 0);
      return answered.then(finish, failed);
    } catch (error) {
      return failed(error);
    }
  }

  return {
    handle,
    failed(error) {
      onBug(error, "an API call");
      return written(BUG, last);
    },
    endConnections() {
      ending = true;
    },
    close: () => calls.arrivals.close(),
  };
}

type MakeHeaders = (headers: ApiAnswer["headers"]) => Headers | Record<string, string>;

/** Those of an answer, and `more`. Making them costs more than the answer's text: of headers that many answers have, once. */
function createHeaders(more: Readonly<Record<string, string>>): MakeHeaders {
  const made = new WeakMap<ApiAnswer["headers"], Headers>();
  return (headers) => {
    if (!Object.isFrozen(headers)) return { ...headers, ...more };
    let found = made.get(headers);
    if (found === undefined) made.set(headers, (found = new Headers({ ...headers, ...more })));
    return found;
  };
}

function written({ status, headers, body }: ApiAnswer, makeHeaders: MakeHeaders): Response {
  return new Response(body === "" ? null : body, { status, headers: makeHeaders(headers) });
}

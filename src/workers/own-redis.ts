/**
 * A Redis server of this program's own, for nodes that are tried out on one machine: in a folder that nobody else may enter, reached by a
 * socket there and by no port. It keeps nothing beyond its end.
 */
import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { StartError } from "../core/start-error.ts";

export interface OwnRedis {
  readonly url: string;
  /** Resolves when it has ended by itself, with its last line. */
  readonly failed: Promise<string>;
  stop(): Promise<void>;
}

const PROGRAMS = ["redis-server", "valkey-server"];
const READY = /ready to accept connections/i;

/** The server ends with its standard input, and so with this process, however that ends; then its folder is removed. */
const SCRIPT = `folder=$1; shift; exec 3<&0
"$@" </dev/null & server=$!
{ cat <&3 >/dev/null; kill $server; } &
wait $server; rm -r "$folder"`;

/** Resolves once it takes connections. Rejects with one clear sentence when there is none to be had. */
export async function startOwnRedis(): Promise<OwnRedis> {
  const program = PROGRAMS.map((name) => Bun.which(name)).find((path) => path !== null);
  if (program === undefined) {
    throw new StartError(
      "redis_missing",
      '--nodes needs redis-server, which is not here: install it ("apt-get install redis-server", "brew install redis"), or give nodes a Redis that you have (docs/redis.md)',
    );
  }
  const folder = mkdtempSync(join(tmpdir(), "carillon-nodes-"));
  const socket = join(folder, "redis.sock");
  const settings = ["--port", "0", "--unixsocket", socket, "--unixsocketperm", "700"];
  const unkept = ["--dir", folder, "--save", "", "--appendonly", "no", "--daemonize", "no"];
  const child = Bun.spawn(["sh", "-c", SCRIPT, "sh", folder, program, ...settings, ...unkept], {
    stdin: "pipe",
    stdout: "pipe",
    stderr: "pipe",
    // Ctrl-C in a terminal ends the nodes first.
    detached: true,
  });
  let stopping = false;
  const ready = Promise.withResolvers<void>();
  const failed = Promise.withResolvers<string>();
  let lastLine = "";
  const read = async (stream: ReadableStream<Uint8Array>): Promise<void> => {
    const decoder = new TextDecoder();
    for await (const chunk of stream) {
      const text = decoder.decode(chunk, { stream: true });
      if (READY.test(text)) ready.resolve();
      lastLine = text.trim().split("\n").at(-1) ?? lastLine;
    }
  };
  const reading = Promise.all([read(child.stdout), read(child.stderr)]);
  const ended = child.exited.then(async () => {
    await reading;
    const reason = `redis-server ended: ${lastLine}`;
    ready.reject(new StartError("process_ended", reason));
    if (!stopping) failed.resolve(reason);
  });
  await ready.promise;
  return {
    url: `redis+unix://${socket}`,
    failed: failed.promise,
    async stop() {
      stopping = true;
      await child.stdin.end();
      await ended;
    },
  };
}

/** The servers that requests are tested against: one that echoes, on HTTP and HTTPS, and one that answers raw bytes. */
import { readFileSync } from "node:fs";
import { createServer, type IncomingMessage } from "node:http";
import { createServer as createSecureServer } from "node:https";
import {
  type AddressInfo,
  createServer as createRawServer,
  type Server,
  type Socket,
} from "node:net";
import { gzipSync } from "node:zlib";

const fixtures = new URL("../../test/fixtures/tls/", import.meta.url);
/** The certificate of HTTPS, for `localhost`, `127.0.0.1` and `::1`; signed by itself. */
export const cert = readFileSync(new URL("cert.pem", fixtures), "utf8");
const key = readFileSync(new URL("key.pem", fixtures), "utf8");

export async function listen(server: Server, host = "127.0.0.1"): Promise<number> {
  const { promise, resolve } = Promise.withResolvers<void>();
  server.listen(0, host, resolve);
  await promise;
  return (server.address() as AddressInfo).port;
}

/** Answers every connection as `answer` says, once its request began to arrive. */
export async function rawServer(answer: (socket: Socket) => void) {
  const sockets = new Set<Socket>();
  const server = createRawServer((socket) => {
    sockets.add(socket);
    socket.on("error", () => {});
    socket.once("data", () => answer(socket));
  });
  const port = await listen(server);
  return {
    url: `http://raw.test:${port}/`,
    port,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      server.close();
    },
  };
}

function echo(incoming: IncomingMessage & { socket: object }, body: string): string {
  const servername = "servername" in incoming.socket ? incoming.socket.servername : null;
  const { method, url, headers } = incoming;
  return JSON.stringify({ method, url, headers, body, servername });
}

const handler: Parameters<typeof createServer>[1] = (incoming, response) => {
  let body = "";
  incoming.on("data", (chunk) => (body += String(chunk)));
  incoming.on("end", () => {
    if (incoming.url === "/redirect") {
      response.writeHead(302, { location: "/elsewhere" }).end("moved");
    } else if (incoming.url === "/twice") {
      response
        .writeHead(
          200,
          [
            ["x-many", "a"],
            ["x-many", "b"],
          ].flat(),
        )
        .end();
    } else if (incoming.url?.startsWith("/bytes/")) {
      response.end("x".repeat(Number(incoming.url.slice("/bytes/".length))));
    } else if (incoming.url === "/gzip") {
      response.writeHead(200, { "content-encoding": "gzip" });
      response.end(gzipSync(Buffer.alloc(100_000)));
    } else if (incoming.url === "/503") {
      response.writeHead(503).end("{}");
    } else {
      response.end(echo(incoming, body));
    }
  });
};

export const createSecureEchoServer = () => createSecureServer({ cert, key }, handler);

/** Both on 127.0.0.1; `http` and `https` are their ports. */
export async function startEchoServers() {
  let connections = 0;
  const plain = createServer(handler);
  const secure = createSecureEchoServer();
  plain.on("connection", () => (connections += 1));
  return {
    http: await listen(plain),
    https: await listen(secure),
    /** How many HTTP connections were made so far. */
    connections: () => connections,
    close: () => {
      plain.close();
      secure.close();
    },
  };
}

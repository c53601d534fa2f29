/** The `api` listener on Bun's own server. */
import type { Server } from "bun";
import { BODIES_BYTES_MAX, type ApiListener, type ApiListenerOptions } from "./api-listener.ts";
import { createBunApiHandler } from "./bun-api-handler.ts";
import { listenFailure } from "./listen-failure.ts";

export function createBunApiListener(options: ApiListenerOptions): ApiListener {
  const { hostname, port, tls } = options;
  const handler = createBunApiHandler(options);

  function listen(): Server<undefined> {
    try {
      return Bun.serve({
        hostname,
        port,
        development: false,
        // Outside development mode Bun's default is true, and a second server on the port would start silently.
        reusePort: options.shared,
        ...(tls === undefined ? {} : { tls }),
        idleTimeout: Math.ceil(options.keepAliveTimeoutMs / 1000),
        // What is larger fits into no memory. Of a smaller one nothing is kept unless it is read.
        maxRequestBodySize: BODIES_BYTES_MAX,
        fetch: handler.handle,
        error: handler.failed,
      });
    } catch (error) {
      throw listenFailure(error, options);
    }
  }

  const server = listen();
  const bound = server.port ?? port;
  const host = hostname.includes(":") ? `[${hostname}]` : hostname;
  return {
    url: `${tls === undefined ? "http" : "https"}://${host}:${bound}`,
    port: bound,
    endConnections: handler.endConnections,
    async close() {
      handler.endConnections();
      await server.stop();
      handler.close();
    },
    cut() {
      handler.close();
      void server.stop(true);
    },
  };
}

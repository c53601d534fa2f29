/** Listeners that dialects have for their APIs alone, beside `api`: a port that is taken leaves the rest of the server as it is. */
import type { ServedDialect } from "./dialects/lend.ts";
import type { Logger } from "./operations/log.ts";
import type { ApiListener, ApiListenerOptions } from "./transports/api-listener.ts";
import { createApiListener } from "./transports/create-api-listener.ts";

export interface OwnListenersOptions extends Pick<
  ApiListenerOptions,
  "shared" | "keepAliveTimeoutMs" | "findMount" | "timers" | "onBug"
> {
  readonly served: readonly ServedDialect[];
  readonly log: Logger;
}

type Listeners = Pick<ApiListener, "endConnections" | "close" | "cut">;

/** `api` and the others as one. */
export async function withOwnListeners(
  api: Listeners,
  { served, log, ...rest }: OwnListenersOptions,
): Promise<Listeners> {
  const all: Listeners[] = [api];
  for (const { name, listener } of served) {
    if (listener === undefined) continue;
    const { host: hostname, port, answer } = listener;
    try {
      const own = await createApiListener({
        ...{ ...rest, hostname, port, answer, readsGetBodies: false },
      });
      all.push(own);
      log.info({ dialect: name, url: own.url }, "Listening for one dialect's calls");
    } catch (error) {
      const detail = error instanceof Error ? error.message : String(error);
      log.warn({ dialect: name, detail }, "A dialect's own listener is left out");
    }
  }
  return {
    endConnections() {
      for (const listener of all) listener.endConnections();
    },
    async close() {
      await Promise.all(all.map((listener) => listener.close()));
    },
    cut() {
      for (const listener of all) listener.cut();
    },
  };
}

/** Which server the `api` listener runs on. The other one is not loaded. */
import type { ApiListener, ApiListenerOptions } from "./api-listener.ts";

/** Bun's own server counts seconds in one byte. */
const BUN_IDLE_MS_MAX = 255_000;

/** Rejects with an `Error` with one clear sentence when it cannot listen. */
export async function createApiListener(options: ApiListenerOptions): Promise<ApiListener> {
  if (options.readsGetBodies || options.keepAliveTimeoutMs > BUN_IDLE_MS_MAX) {
    const { createNodeApiListener } = await import("./node-api-listener.ts");
    return createNodeApiListener(options);
  }
  const { createBunApiListener } = await import("./bun-api-listener.ts");
  return createBunApiListener(options);
}

/** One server with two apps, each as a target of its own, whose event loop can be watched. */
import { createHash } from "node:crypto";
import { createCredentials, joinStreaming, portOf, startServer } from "./carillon.ts";
import { LOOPBACK, type Target } from "./targets.ts";

const APPS = ["one", "other"] as const;

export async function startTwoApps(): Promise<{ readonly [App in (typeof APPS)[number]]: Target }> {
  const apps = APPS.map((id) => ({ id, credentials: createCredentials() }));
  const server = await startServer({
    config: {
      apps: APPS.map((id) => ({ id, path_prefix: `/${id}` })),
      api_keys: apps.map(({ id, credentials: { apiKey } }) => {
        return { id, app: id, hash: createHash("sha256").update(apiKey).digest("hex") };
      }),
      signing_keys: apps.map(({ id, credentials: { tokenSecret } }) => {
        return { use: "streaming", app: id, hmac_secret: tokenSecret };
      }),
      gusher: {},
    },
  });
  const [one, other] = apps.map(({ id, credentials }): Target => {
    const tokens = credentials.tokens(1000);
    return {
      name: `Carillon, app ${id}`,
      process: server.process,
      sockets: {
        ...{ host: LOOPBACK, port: portOf(server.clients) },
        path: `/${id}/connection/websocket`,
      },
      join: (channel) => joinStreaming(channel, tokens),
      publishing: {
        ...{ host: LOOPBACK, port: portOf(server.api), path: "/api/publish" },
        headers: { "X-API-Key": credentials.apiKey, "Content-Type": "application/json" },
        body: (channel, data) => `{"channel":"${channel}","data":${data}}`,
      },
      [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
    };
  });
  if (one === undefined || other === undefined) throw new Error("There are two apps");
  return { one, other };
}

/** API keys of several scopes, which are their own ids here, and calls of every dialect's API with them. */
import { developmentFile } from "../../src/dialects/configuration.ts";
import { hashApiKey } from "../../src/auth/api-keys.ts";

import { ORG, type Json } from "./events.ts";
import type { StreamingServer } from "./streaming.ts";

const KEYS: Readonly<Record<string, Json>> = {
  gusher: { scopes: ["gusher"] },
  streaming: { scopes: ["streaming"] },
  both: { scopes: ["gusher", "streaming"] },
  publisher: { scopes: ["gusher", "streaming", "events:publish"] },
  confined: { scopes: ["*"], organisation: ORG },
};
export const api_keys = [
  ...developmentFile().api_keys,
  ...Object.entries(KEYS).map(([id, key]) => ({ id, hash: hashApiKey(id), ...key })),
];
export const OPEN = { allow_subscribe_for_client: true, allow_user_limited_channels: true };
/** Beyond loopback, though the test calls it there: every route asks for a key. */
export const PRODUCTION = {
  development: false,
  api: { host: "0.0.0.0", port: 0 },
  api_keys: api_keys.filter(({ id }) => id !== "dev"),
  apps: [{ id: "dev", allowed_origins: ["https://shop.example"] }],
  signing_keys: [
    ...["streaming", "gusher", "events-client"].map((use) => ({ use, hmac_secret: "a secret" })),
    {
      ...{ use: "events-access", hmac_secret: "a secret" },
      ...{ issuer: "http://127.0.0.1:9000", audience: "events" },
    },
  ],
  gusher: { enabled: true },
  channel: {
    without_namespace: { ...OPEN, dialects: ["streaming", "gusher"] },
    namespaces: [{ name: "listed", ...OPEN, dialects: ["streaming", "gusher"] }],
  },
};

export type Headers = Readonly<Record<string, string>>;

export const keyed = (key: string | undefined): Headers =>
  key === undefined ? {} : { "X-API-Key": key };

export async function post(url: string, body: string, headers: Headers = {}) {
  const answer = await fetch(url, { method: "POST", headers, body });
  return { status: answer.status, text: await answer.text() };
}

/** A call of gusher's master API with these fields. */
export const master = (server: StreamingServer, path: string, fields: object, key?: string) =>
  post(`${server.apiUrl}/gusher${path}`, JSON.stringify(fields), {
    "Content-Type": "application/json",
    ...keyed(key),
  });

export const streamingApi = async (
  server: StreamingServer,
  method: string,
  body: object,
  key: string,
) =>
  JSON.parse((await post(`${server.apiUrl}/api/${method}`, JSON.stringify(body), keyed(key))).text);

/** What runs without a configuration, for trying things out on one's own machine (DESIGN.md §5 "Development mode"). */
import { stringify } from "smol-toml";
import { DIALECTS } from "./channel-options.ts";
import {
  DEVELOPMENT_API_KEY,
  DEVELOPMENT_API_KEY_HASH,
  DEVELOPMENT_TOKEN_SECRET,
} from "./development-guard.ts";

export { DEVELOPMENT_API_KEY };

const CHANNEL_OPTIONS = {
  presence: true,
  join_leave: true,
  history_size: 100,
  history_ttl: "300s",
  allow_recovery: true,
  force_recovery: true,
  allow_subscribe_for_client: true,
  allow_subscribe_for_anonymous: true,
  allow_publish_for_subscriber: true,
  allow_presence_for_subscriber: true,
  allow_history_for_subscriber: true,
};

/** As a file would say it. A new object each time. */
export function developmentFile() {
  return {
    development: true,
    apps: [{ id: "dev", allowed_origins: ["*"] }],
    api_keys: [{ id: "dev", hash: DEVELOPMENT_API_KEY_HASH, scopes: ["*"], organisation: "*" }],
    signing_keys: [
      { use: "streaming", hmac_secret: DEVELOPMENT_TOKEN_SECRET },
      { use: "gusher", hmac_secret: DEVELOPMENT_TOKEN_SECRET },
      // A backend's secret, as its API key is.
      { use: "tasks", hmac_secret: DEVELOPMENT_API_KEY },
    ],
    channel: {
      without_namespace: { ...CHANNEL_OPTIONS },
      namespaces: [
        { name: "shipments", ...CHANNEL_OPTIONS },
        { name: "orders", ...CHANNEL_OPTIONS },
        { name: "public", dialects: [...DIALECTS], ...CHANNEL_OPTIONS },
      ],
    },
    streaming: { allow_anonymous_connect_without_token: true },
  };
}

/** The same as text for a `carillon.toml`. */
export function developmentToml(): string {
  return `# What Carillon runs without a configuration: on loopback addresses only.
# Its API key is "dev-api-key", of which the hash is below. To go live, make keys of your own
# (\`carillon key\`), replace the secret and remove \`development\`.

${stringify(developmentFile())}`;
}

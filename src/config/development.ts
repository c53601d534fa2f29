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

/** Of the tokens that are issued, and of the access tokens that they are issued for. */
const EVENTS_TOKENS = { issuer: "http://127.0.0.1:9000", audience: "events" };

/** Provisioned at the first start, and whom `carillon token access` makes a token for. */
export const DEVELOPMENT_ORGANISATION = "org_26ZZVNs2QURl4yY6owPARekUbMa";
export const DEVELOPMENT_USER = "usr_26ZZVRrmnPTXTcZIuzXLZdnigLW";

/** As a file would say it that leaves to the mode what is served. A new object each time. */
export function developmentFile() {
  const hmac_secret = DEVELOPMENT_TOKEN_SECRET;
  return {
    development: true,
    apps: [{ id: "dev", allowed_origins: ["*"] }],
    api_keys: [{ id: "dev", hash: DEVELOPMENT_API_KEY_HASH, scopes: ["*"], organisation: "*" }],
    signing_keys: [
      ...(["streaming", "gusher", "events-client"] as const).map((use) => ({ use, hmac_secret })),
      { use: "events-access" as const, hmac_secret, ...EVENTS_TOKENS },
      // A backend's secret, as its API key is.
      { use: "tasks" as const, hmac_secret: DEVELOPMENT_API_KEY },
    ],
    channel: {
      without_namespace: { ...CHANNEL_OPTIONS },
      namespaces: [{ name: "public", dialects: [...DIALECTS], ...CHANNEL_OPTIONS }],
    },
    streaming: { allow_anonymous_connect_without_token: true },
    events: {
      ...EVENTS_TOKENS,
      namespaces: [
        { name: "shipments" },
        { name: "orders" },
        { name: "public", visibility: "public" as const },
      ],
    },
    webhooks: {
      ...{ allow_http: true, allow_hosts: ["localhost"] },
      allow_networks: ["127.0.0.0/8", "::1"],
    },
  };
}

/** The same with the dialects switched on, so that a file made of it goes on serving them without the mode. */
export function developmentFileWithDialects() {
  const enabled = true;
  const file = developmentFile();
  const without_namespace = { dialects: [...DIALECTS], ...file.channel.without_namespace };
  return {
    ...file,
    channel: { ...file.channel, without_namespace },
    gusher: { enabled },
    tasks: { enabled },
    events: { enabled, ...file.events },
  };
}

/** That as text for a `carillon.toml`. */
export function developmentToml(): string {
  return `# What Carillon runs without a configuration: on loopback addresses only.
# Its API key is "dev-api-key", of which the hash is below. To go live, start from \`carillon config --production\`
# instead; \`carillon config\` tells what is too open here.

${stringify(developmentFileWithDialects())}`;
}

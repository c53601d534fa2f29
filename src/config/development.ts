/** What runs without a configuration, for trying things out on one's own machine (DESIGN.md §5 "Development mode"). */
import { stringify } from "smol-toml";
import {
  DEVELOPMENT_API_KEY,
  DEVELOPMENT_API_KEY_HASH,
  DEVELOPMENT_TOKEN_SECRET,
} from "./development-guard.ts";
import type { Model } from "./model.ts";

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

/** As a file would say it that leaves to the mode what is served. A new object each time. */
export function developmentFile({ parts }: Model) {
  const keys: { readonly use: string; readonly hmac_secret: string }[] = parts.flatMap(
    ({ keyUses, developmentKeys = [] }) =>
      keyUses.map(({ use }) => ({
        ...{ use, hmac_secret: DEVELOPMENT_TOKEN_SECRET },
        ...developmentKeys.find((key) => key["use"] === use),
      })),
  );
  const own: object = Object.assign(
    {},
    ...parts.map(({ development = {} }) => structuredClone(development)),
  );
  return {
    development: true,
    apps: [{ id: "dev", allowed_origins: ["*"] }],
    api_keys: [{ id: "dev", hash: DEVELOPMENT_API_KEY_HASH, scopes: ["*"], organisation: "*" }],
    signing_keys: keys,
    channel: {
      without_namespace: { ...CHANNEL_OPTIONS },
      namespaces: [{ name: "public", dialects: joining(parts), ...CHANNEL_OPTIONS }],
    },
    ...own,
  };
}

/** The same with the dialects switched on, so that a file made of it goes on serving them without the mode. */
export function developmentFileWithDialects(model: Model) {
  const file: Record<string, unknown> & ReturnType<typeof developmentFile> = developmentFile(model);
  for (const { name, always } of model.parts) {
    if (always !== true) file[name] = { enabled: true, ...(file[name] as object | undefined) };
  }
  const { channel } = file;
  const without_namespace = { dialects: joining(model.parts), ...channel.without_namespace };
  return { ...file, channel: { ...channel, without_namespace } };
}

function joining(parts: Model["parts"]): string[] {
  return parts.filter(({ joinsChannels }) => joinsChannels).map(({ name }) => name);
}

/** That as text for a `carillon.toml`. */
export function developmentToml(model: Model): string {
  return `# What Carillon runs without a configuration: on loopback addresses only.
# Its API key is "dev-api-key", of which the hash is below. To go live, start from \`carillon config --production\`
# instead; \`carillon config\` tells what is too open here.

${stringify(developmentFileWithDialects(model))}`;
}

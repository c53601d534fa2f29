/** A file to go live with: closed where nothing is said, and of secrets of its own. */
import type { Model } from "./model.ts";

export interface ProductionSecrets {
  readonly apiKey: { readonly id: string; readonly hash: string };
  /** 32 random bytes or more, as text. */
  readonly hmacSecret: string;
  /** The pages that may connect. Default: one to be replaced. */
  readonly origin?: string;
}

/** As text for a `carillon.toml`, in which the dialects are served that always are. */
export function productionToml(
  { parts }: Model,
  { apiKey, hmacSecret, origin = "https://your.site" }: ProductionSecrets,
): string {
  const served = parts.filter(({ always }) => always === true);
  const names = JSON.stringify(served.map(({ name }) => name));
  const keys = served
    .flatMap(({ keyUses }) => keyUses)
    .map(({ use }) => `[[signing_keys]]\nuse = "${use}"\nhmac_secret = "${hmacSecret}"`);
  const others = parts.filter(({ always }) => always !== true).map(({ name }) => name);
  const pages = others.map((name) => `docs/${name}.md`).join(", ");
  return `# Carillon in production, to start from. "carillon config" checks it; docs/configuration.md has every key.

# Where the database and master.key are kept: back them up together.
data_dir = "./data"

# What browsers and devices open. Behind a proxy of this machine that speaks TLS; without one, listen on "0.0.0.0" and give
# cert and key in [clients.tls].
[clients]
host = "127.0.0.1"
port = 8000
trusted_proxies = ["127.0.0.1", "::1"]

# What your servers call. Keep it private: it is for your own network.
[api]
host = "127.0.0.1"
port = 9000

[[apps]]
id = "main"
# The pages that may connect.
allowed_origins = [${JSON.stringify(origin)}]

# "carillon key" makes more.
[[api_keys]]
id = "${apiKey.id}"
hash = "${apiKey.hash}"
scopes = ${names}

# Your backend signs its users' connection tokens with this secret, and nobody else may know it.
${keys.join("\n\n")}

# Channels whose name has no namespace: no client may join by itself, since nothing here says so.
[channel.without_namespace]
dialects = ${names}

# Channels such as "news:today": every user may join, and comes back without a gap.
[[channel.namespaces]]
name = "news"
allow_subscribe_for_client = true
history_size = 100
history_ttl = "300s"
force_recovery = true

# The other protocols are off. Each page says what it needs: ${pages}.
${others.map((name) => `# ${name}.enabled = true`).join("\n")}
`;
}

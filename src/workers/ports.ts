/** A configuration on other ports than it says. */
import type { BaseConfig } from "../config/schema.ts";
import type { ListenAddress } from "../transports/listen-failure.ts";

export interface Ports {
  readonly clients: number;
  readonly api: number;
}

export function onPorts<Config extends BaseConfig>(
  config: Config,
  { clients, api }: Ports,
): Config {
  return {
    ...config,
    clients: { ...config.clients, port: clients },
    api: { ...config.api, port: api },
  };
}

export function listenAddress({
  host,
  port,
}: BaseConfig["clients"] | BaseConfig["api"]): ListenAddress {
  return { hostname: host, port };
}

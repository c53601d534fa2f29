/** `carillon token access`: an access token of event-streaming.md §4.1, signed with a secret of the configuration. */
import {
  APP_OPTION,
  lifetimeOf,
  secretKeyOf,
  signJwt,
  type TokenCommand,
  MintError,
} from "../token-command.ts";
import { DEVELOPMENT_ORGANISATION, DEVELOPMENT_USER, type EventsConfig } from "./config.ts";

interface Options {
  readonly user?: string;
  readonly organisation?: string;
  readonly scope: readonly string[];
  readonly expires: string;
}

export const accessToken: TokenCommand<EventsConfig, Options> = {
  name: "access",
  description: "an access token, as the events API takes it from users",
  options: [
    ["--user <id>", "usr_…; in development mode there is a default"],
    ["--organisation <id>", "org_…; likewise"],
    [
      ...(["--scope <scopes...>", "what it permits"] as const),
      ["platform:admin", "shipments:read", "orders:read"],
    ],
    ["--expires <duration>", 'how long it is valid, such as "15m"', "1h"],
    APP_OPTION,
  ],
  mint: async (asked) => {
    const { config, options, epochMs } = asked;
    const key = secretKeyOf(asked, "access tokens", ({ use }) => use === "events-access");
    const { development } = config;
    const user = options.user ?? (development ? DEVELOPMENT_USER : undefined);
    const organisation =
      options.organisation ?? (development ? DEVELOPMENT_ORGANISATION : undefined);
    if (user === undefined || organisation === undefined) {
      throw new MintError(
        "command_usage",
        "Outside of development mode give --user and --organisation",
      );
    }
    const claims = {
      sub: user,
      [config.events.organisation_claim]: organisation,
      scope: options.scope.join(" "),
    };
    const lifetimeMs = lifetimeOf(options);
    if (lifetimeMs === 0)
      throw new MintError(
        "command_usage",
        "An access token must expire: give --expires more than 0",
      );
    return signJwt(claims, key, { epochMs, lifetimeMs });
  },
};

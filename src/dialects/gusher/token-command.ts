/** `carillon token gusher`: the JWT of gusher.md §4, signed with a secret of the configuration. */
import {
  lifetimeOf,
  secretKeyOf,
  signJwt,
  USER_OPTIONS,
  type TokenCommand,
  type UserOptions,
} from "../token-command.ts";
import type { GusherConfig } from "./config.ts";

interface Options extends UserOptions {
  readonly channel: readonly string[];
  readonly remote: readonly string[];
}

export const gusherToken: TokenCommand<GusherConfig, Options> = {
  name: "gusher",
  description: "the JWT that the dialect's /auth exchanges for a token",
  options: [
    ...USER_OPTIONS,
    ["--channel <grants...>", "channels that may be joined; * stands for characters", []],
    ["--remote <names...>", "remote jobs that may be queued", []],
  ],
  mint: (asked) => {
    const { app, options, epochMs } = asked;
    const key = secretKeyOf(asked, "gusher's tokens", ({ use }) => use === "gusher");
    const gusher = {
      channels: options.channel,
      user_id: options.user,
      app_key: app.id,
      remotes: Object.fromEntries(options.remote.map((name) => [name, true])),
    };
    return signJwt({ gusher }, key, { epochMs, lifetimeMs: lifetimeOf(options) });
  },
};

/** `carillon token streaming`: a connection or subscription token, signed with a secret of the configuration. */
import {
  lifetimeOf,
  secretKeyOf,
  signJwt,
  USER_OPTIONS,
  type TokenCommand,
  type UserOptions,
} from "../token-command.ts";
import type { StreamingConfig } from "./config.ts";

export const streamingToken: TokenCommand<
  StreamingConfig,
  UserOptions & { readonly channel?: string }
> = {
  name: "streaming",
  description: "a connection token, or with --channel a subscription token",
  options: [...USER_OPTIONS, ["--channel <name>", "make a subscription token for this channel"]],
  mint: (asked) => {
    const { config, options } = asked;
    const { channel } = options;
    const kind = channel === undefined ? "connection" : "subscription";
    const key = secretKeyOf(
      asked,
      `streaming's ${kind} tokens`,
      ({ use, tokens }) => use === "streaming" && tokens.includes(kind),
    );
    const claims =
      channel === undefined
        ? { [config.streaming.user_id_claim]: options.user }
        : { sub: options.user, channel };
    return signJwt(claims, key, { epochMs: asked.epochMs, lifetimeMs: lifetimeOf(options) });
  },
};

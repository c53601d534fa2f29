/** `carillon token streaming`: a connection or subscription token, signed with a secret of the configuration. */
import {
  lifetimeOf,
  secretKeyOf,
  signJwt,
  USER_OPTIONS,
  type AskedToken,
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

/** For a client that tries a server. A subscription token opens the channel whatever its namespace says. */
export async function mintedTokens(
  asked: Omit<AskedToken<StreamingConfig>, "options"> & { readonly token: string | undefined },
  { user, channel }: { readonly user: string; readonly channel: string },
): Promise<{
  readonly connection: string | undefined;
  readonly subscription: string | undefined;
}> {
  const mint = async (more: object): Promise<string | undefined> => {
    try {
      return await streamingToken.mint({ ...asked, options: { user, expires: "5m", ...more } });
    } catch {
      // No secret is here to sign with: the server says whether it asks for a token.
      return undefined;
    }
  };
  if (asked.token !== undefined) return { connection: asked.token, subscription: undefined };
  return { connection: await mint({}), subscription: await mint({ channel }) };
}

/** Token keys and API keys: who had a token or key goes on using it. */
import { hashApiKey } from "../../auth/api-keys.ts";
import type { Draft } from "./draft.ts";
import { integerOf, isOn, textOf } from "./values.ts";

const ALGORITHMS = {
  hmac: ["HS256", "HS384", "HS512"],
  rsa: ["RS256", "RS384", "RS512"],
  ecdsa: ["ES256", "ES384", "ES512"],
} as const;
const KEY_SET_ALGORITHMS = [...ALGORITHMS.rsa, ...ALGORITHMS.ecdsa, "EdDSA"];

type Token = "connection" | "subscription";

export function translateKeys(draft: Draft): void {
  const separate = isOn(draft.at("client.subscription_token.enabled"));
  const keys = signingKeys(draft, "client.token", separate ? ["connection"] : undefined);
  if (separate) keys.push(...signingKeys(draft, "client.subscription_token", ["subscription"]));
  if (keys.length > 0) draft.file["signing_keys"] = keys;
  userIdClaim(draft, separate);
  const key = textOf(draft.at("http_api.key"));
  if (key === "") return;
  draft.file["api_keys"] = [{ id: "centrifugo", hash: hashApiKey(key), scopes: ["streaming"] }];
}

function signingKeys(draft: Draft, table: string, tokens: readonly Token[] | undefined): object[] {
  const at = (key: string) => draft.at(`${table}.${key}`);
  const dropped = ["audience_regex", "issuer_regex"].filter((key) => textOf(at(key)) !== "");
  const sources = [
    "hmac_secret_key",
    "hmac_previous_secret_key",
    "rsa_public_key",
    "ecdsa_public_key",
    "jwks_public_endpoint",
  ];
  if (dropped.length > 0) {
    for (const key of sources.filter((source) => textOf(at(source)) !== "")) {
      draft.notes.wrong(
        at(key)?.written ?? key,
        `without "${at(dropped[0] ?? "")?.written}", which has no counterpart, it would take tokens of others: add an entry of [[signing_keys]] for each issuer and audience`,
      );
    }
    return [];
  }
  const common = {
    use: "streaming",
    ...(tokens === undefined ? {} : { tokens }),
    ...filled("issuer", textOf(at("issuer"))),
    ...filled("audience", textOf(at("audience"))),
  };
  const [hmac = "", previous = "", rsa = "", ecdsa = "", jwks = ""] = sources.map((key) =>
    textOf(at(key)),
  );
  const until = integerOf(at("hmac_previous_secret_key_valid_until")?.value) ?? 0;
  // Upstream's last second is inside, and `until` is the first one outside.
  const end = until > 0 ? { until: new Date((until + 1) * 1000).toISOString() } : {};
  const keys: object[] = [];
  const add = (text: string, source: string, algorithms: readonly string[], more = {}): void => {
    if (text !== "") keys.push({ ...common, [source]: text, algorithms, ...more });
  };
  add(hmac, "hmac_secret", ALGORITHMS.hmac);
  add(previous, "hmac_secret", ALGORITHMS.hmac, end);
  add(rsa, "public_key", ALGORITHMS.rsa);
  add(ecdsa, "public_key", ALGORITHMS.ecdsa);
  if (jwks.includes("{{")) {
    const why =
      "an address that depends on the token has no counterpart: add an entry of [[signing_keys]] for each";
    draft.notes.wrong(at("jwks_public_endpoint")?.written ?? "", why);
  } else add(jwks, "jwks_url", KEY_SET_ALGORITHMS);
  return keys;
}

/** Carillon has one for both kinds of tokens. */
function userIdClaim(draft: Draft, separate: boolean): void {
  const connection = draft.at("client.token.user_id_claim");
  const subscription = draft.at("client.subscription_token.user_id_claim");
  if (connection !== undefined) draft.put("streaming.user_id_claim", connection);
  const claim = textOf(connection) || "sub";
  if (separate && subscription !== undefined && (textOf(subscription) || "sub") !== claim) {
    draft.notes.wrong(subscription.written, `tokens of both kinds name the user in "${claim}"`);
  }
}

function filled(key: string, text: string): object {
  return text === "" ? {} : { [key]: text };
}

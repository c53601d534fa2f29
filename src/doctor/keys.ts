/** What the configuration and a given token say of their own end. */
import { decodeJwt } from "jose";
import type { Checking } from "./context.ts";

/** Answers whether the given token is still good. */
export function checkKeys({ config, app, token, runtime, findings }: Checking): boolean {
  const nowMs = runtime.clock.epochMs();
  const own = config.signing_keys.filter((key) => key.app === app.id);
  for (const use of new Set(own.map((key) => key.use))) {
    const keys = own.filter((key) => key.use === use);
    const untilMs = Math.max(...keys.map(({ until = Infinity }) => until));
    if (untilMs > nowMs) continue;
    findings.add({
      ...{ severity: "error", id: "key-expired", about: [use] },
      message: `The last signing key ended at ${new Date(untilMs).toISOString()}: every token is refused`,
      remedy: `Add a key with use = "${use}" to [[signing_keys]], and have your backend sign by it`,
    });
  }
  const endMs = token === undefined ? undefined : endOf(token);
  if (endMs === undefined || endMs > nowMs) return true;
  findings.add({
    ...{ severity: "error", id: "token-expired", about: ["--token"] },
    message: `The token ended at ${new Date(endMs).toISOString()}`,
    remedy:
      "Make another one: carillon token; or leave --token out, where the configuration has the secret",
  });
  return false;
}

/** Undefined: it says nothing of it, or is no JWT. */
function endOf(token: string): number | undefined {
  try {
    const { exp } = decodeJwt(token);
    return exp === undefined ? undefined : exp * 1000;
  } catch {
    return undefined;
  }
}

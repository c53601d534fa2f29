/** The slave's routes over HTTP (§2, §3.1): login and ping. Its sockets are in index.ts. */
import { Hono } from "hono";
import { HubError, type HubErrorCode } from "../../core/errors.ts";
import { responseOf, type ApiAnswer } from "../../transports/api-call.ts";
import { BODY_REFUSALS, servedAt } from "../../transports/request.ts";
import type { ClientsEnv, OnEvent } from "../dialect.ts";
import { besideText, type Explaining, type Explanation } from "../explaining.ts";
import type { GusherClaims, GusherContext } from "./context.ts";
import { readFields } from "./fields.ts";
import { bodyRefused, methodNotAllowed, notFound, pong, unauthorized } from "./plain.ts";
import { createLoginToken, gusherClaims } from "./tokens.ts";

export interface SlaveOptions {
  readonly contexts: ReadonlyMap<string, GusherContext>;
  /** A GET there that is not answered here is the socket's. */
  readonly socketPaths: readonly string[];
  readonly onEvent: OnEvent;
  readonly explains: Explaining;
}

/** Bytes of a login's body, which has a JWT and little else: anybody may send one. A larger one counts as none. */
export const LOGIN_BODY_BYTES_MAX = 65_536;

const LOGIN_TOO_LARGE = `The body is larger than ${LOGIN_BODY_BYTES_MAX} bytes`;

/** Any page may log in; there is no preflight, so with a plain form only (§2). */
const ANY_ORIGIN = { "Access-Control-Allow-Origin": "*" };

/** Answers every path below where it is mounted. */
export function createSlaveRoutes(options: SlaveOptions): Hono<ClientsEnv> {
  const slave = new Hono<ClientsEnv>();
  type Answer = (request: Request, env: ClientsEnv["Bindings"]) => ApiAnswer | Promise<ApiAnswer>;
  const route = (path: string, method: string, answer: Answer): void => {
    // Hono would also answer HEAD where there is GET.
    slave.all(path, async ({ req: { raw }, env }) =>
      responseOf(raw.method === method ? await answer(raw, env) : methodNotAllowed([method])),
    );
  };
  route("/auth", "POST", (request, env) => logIn(request, env, options));
  route("/ping", "GET", pong);
  for (const path of options.socketPaths) route(path, "GET", notFound);
  slave.all("*", ({ req: { raw } }) => responseOf(notFound(raw)));
  return slave;
}

async function logIn(
  request: Request,
  { mount, readBody }: ClientsEnv["Bindings"],
  { contexts: all, onEvent, explains }: SlaveOptions,
): Promise<ApiAnswer> {
  const contexts = servedAt(all, mount);
  const body = await readBody(LOGIN_BODY_BYTES_MAX);
  if (typeof body === "string" && body !== "too_large") {
    onEvent("Login refused", {
      ...{ word: BODY_REFUSALS[body].word, detail: BODY_REFUSALS[body].text },
    });
    return bodyRefused(body);
  }
  const fields = await readFields(request, {
    ...{ names: ["jwt"], body: body === "too_large" ? undefined : body },
  });
  const jwt = fields.get("jwt") ?? "";
  const refusals: LoginRefusal[] = [];
  const verified = jwt === "" ? undefined : await verify(jwt, contexts, refusals);
  const token = verified && (await tokenFor(verified, refusals));
  if (token === undefined) {
    const none = body === "too_large" ? LOGIN_TOO_LARGE : "No JWT";
    const word = refusals.find((refusal) => refusal.word === "unavailable")?.word;
    const why = refusals.map((refusal) => refusal.detail).join("; ");
    const refusal: Explanation = {
      word: word ?? refusals[0]?.word ?? "unauthorized",
      detail: jwt === "" ? none : why,
    };
    onEvent("Login refused", refusal);
    return unauthorized(`jwt decode fail\n${besideText(explains, refusal)}`, ANY_ORIGIN);
  }
  const headers = { "Content-Type": "application/json;charset=UTF-8", ...ANY_ORIGIN };
  return { status: 200, headers, body: `${JSON.stringify({ token })}\n` };
}

interface LoginRefusal {
  readonly word: HubErrorCode;
  readonly detail: string;
}

interface Verified {
  readonly context: GusherContext;
  readonly claims: GusherClaims;
}

/**
 * By the keys of the app that it is for. A good JWT that is for no app, or for another than the one whose key signed it,
 * gets a token too, which opens nothing (§3.1). `refusals` receives what was wrong with it, by app.
 */
async function verify(
  jwt: string,
  contexts: ReadonlyMap<string, GusherContext>,
  refusals: LoginRefusal[],
): Promise<Verified | undefined> {
  let useless: Verified | undefined;
  for (const context of contexts.values()) {
    try {
      const claims = gusherClaims(await context.verify(jwt));
      if (claims.appKey === context.hub.app) return { context, claims };
      useless ??= { context, claims };
    } catch (error) {
      if (!(error instanceof HubError)) throw error;
      refusals.push({ word: error.code, detail: `${context.hub.app}: ${error.detail}` });
      if (error.code === "unavailable") {
        context.onError(error, { connection: "", doing: "verifying a JWT" });
      }
    }
  }
  return useless;
}

/** Undefined when it cannot be kept now: §3.1 has one answer for every failure. */
async function tokenFor(
  { context, claims }: Verified,
  refusals: LoginRefusal[],
): Promise<string | undefined> {
  try {
    return await createLoginToken(context, claims);
  } catch (error) {
    if (!(error instanceof HubError)) throw error;
    refusals.push({ word: error.code, detail: `${context.hub.app}: ${error.detail}` });
    context.onError(error, { connection: "", doing: "keeping a login token" });
    return undefined;
  }
}

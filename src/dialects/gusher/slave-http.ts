/** The slave's routes over HTTP (§2, §3.1): login and ping. Its sockets are in index.ts. */
import { Hono } from "hono";
import { HubError } from "../../core/errors.ts";
import type { GusherClaims, GusherContext } from "./context.ts";
import { readFields } from "./fields.ts";
import { methodNotAllowed, notFound, pong, unauthorized } from "./plain.ts";
import { createLoginToken, gusherClaims } from "./tokens.ts";

export interface SlaveOptions {
  readonly contexts: ReadonlyMap<string, GusherContext>;
  /** A GET there that is not answered here is the socket's. */
  readonly socketPaths: readonly string[];
}

/** Any page may log in; there is no preflight, so with a plain form only (§2). */
const ANY_ORIGIN = { "Access-Control-Allow-Origin": "*" };

/** Answers every path below where it is mounted. */
export function createSlaveRoutes({ contexts, socketPaths }: SlaveOptions): Hono {
  const slave = new Hono();
  type Answer = (request: Request) => Response | Promise<Response>;
  const route = (path: string, method: string, answer: Answer): void => {
    // Hono would also answer HEAD where there is GET.
    slave.all(path, ({ req: { raw } }) =>
      raw.method === method ? answer(raw) : methodNotAllowed(),
    );
  };
  route("/auth", "POST", (request) => logIn(request, contexts));
  route("/ping", "GET", pong);
  for (const path of socketPaths) route(path, "GET", notFound);
  slave.all("*", ({ req: { raw } }) => notFound(raw));
  return slave;
}

async function logIn(
  request: Request,
  contexts: ReadonlyMap<string, GusherContext>,
): Promise<Response> {
  // It fails when the client leaves, or sends more than its listener takes: nobody is to blame here.
  const body = await request.bytes().catch(() => undefined);
  const jwt = (await readFields(request, { body, names: ["jwt"] })).get("jwt") ?? "";
  const verified = jwt === "" ? undefined : await verify(jwt, contexts);
  const token = verified && (await tokenFor(verified));
  if (token === undefined) return unauthorized("jwt decode fail\n", ANY_ORIGIN);
  return new Response(`${JSON.stringify({ token })}\n`, {
    headers: { "Content-Type": "application/json;charset=UTF-8", ...ANY_ORIGIN },
  });
}

interface Verified {
  readonly context: GusherContext;
  readonly claims: GusherClaims;
}

/**
 * By the keys of the app that it is for. A good JWT that is for no app, or for another than the one whose key signed it,
 * gets a token too, which opens nothing (§3.1).
 */
async function verify(
  jwt: string,
  contexts: ReadonlyMap<string, GusherContext>,
): Promise<Verified | undefined> {
  let useless: Verified | undefined;
  for (const context of contexts.values()) {
    try {
      const claims = gusherClaims(await context.verify(jwt));
      if (claims.appKey === context.hub.app) return { context, claims };
      useless ??= { context, claims };
    } catch (error) {
      if (!(error instanceof HubError)) throw error;
      if (error.code === "unavailable") {
        context.onError(error, { connection: "", doing: "verifying a JWT" });
      }
    }
  }
  return useless;
}

/** Undefined when it cannot be kept now: §3.1 has one answer for every failure. */
async function tokenFor({ context, claims }: Verified): Promise<string | undefined> {
  try {
    return await createLoginToken(context, claims);
  } catch (error) {
    if (!(error instanceof HubError)) throw error;
    context.onError(error, { connection: "", doing: "keeping a login token" });
    return undefined;
  }
}

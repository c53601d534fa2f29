/** Login, revocation and introspection of tokens (messaging.md §13.1, §13.3; RFC 6749, 7009, 7662), on both listeners. */
import { Hono, type Context } from "hono";
import { ApiRefusal, type ApiCallers } from "../../../auth/api-callers.ts";
import { serves, servedAt, type Mount, type ReadBody } from "../../../transports/request.ts";
import type { MessagingContext } from "../context.ts";
import { FORM_BYTES_MAX } from "../limits.ts";
import { BearerFault } from "../auth/bearers.ts";
import { SUBSCRIBER_ID } from "../auth/contract.ts";
import { AuthError, emptyAnswer, jsonAnswer } from "../auth/errors.ts";
import type { CheckLogin } from "./logins.ts";
import { tokenView } from "./schema.ts";
import { answered, bodyOf, refused, type AnswerServices } from "./subscribers.ts";

export interface OAuthOptions extends AnswerServices {
  /** By app id, which is the domain. */
  readonly contexts: ReadonlyMap<string, MessagingContext>;
  readonly callers: Pick<ApiCallers, "admit" | "keyOf">;
  readonly checkLogin: CheckLogin;
  readonly path: string;
  readonly tokenTtlMs: number;
}

/** What both listeners have. */
interface FormEnv {
  readonly Bindings: {
    readonly mount: Mount;
    readonly readBody: ReadBody;
    readonly address?: string;
  };
}

type Asked = Context<FormEnv>;

/** §13: cookies do not count here, so any page may call. */
const CORS = { "Access-Control-Allow-Origin": "*" };
const PREFLIGHT = {
  ...CORS,
  "Access-Control-Allow-Methods": "POST, OPTIONS",
  "Access-Control-Allow-Headers": "Authorization, Content-Type",
  "Access-Control-Max-Age": "86400",
};

const CALLS = { token: logIn, revoke, introspect } as const;

export function createOAuthRoutes(options: OAuthOptions): Hono<FormEnv> {
  const routes = new Hono<FormEnv>();
  for (const [method, call] of Object.entries(CALLS)) {
    routes.all(`${options.path}/auth/${method}`, (c) => {
      if (c.req.method === "OPTIONS") return emptyAnswer(PREFLIGHT);
      return answered(
        options,
        method,
        () => {
          if (c.req.method === "POST") return call(c, options);
          const headers = { Allow: "POST, OPTIONS" };
          throw new AuthError("method_not_allowed", "The path takes POST", { headers });
        },
        CORS,
      );
    });
  }
  return routes;
}

async function logIn(c: Asked, options: OAuthOptions): Promise<Response> {
  const form = await formOf(c);
  if (form.get("grant_type") !== "password") {
    throw new AuthError("unsupported_grant_type", 'The grant_type is not "password"');
  }
  const { username, password } = credentialsOf(c, form);
  const at = username.lastIndexOf("@");
  const id = at < 0 ? "" : username.slice(0, at);
  const context = domainAt(c, username.slice(at + 1), options);
  const login = {
    // Unknown texts count as one: they are as long as the sender likes.
    domain: context?.domain ?? "",
    subscriber: SUBSCRIBER_ID.test(id) ? id : "",
    ...{ password, address: c.env.address },
  };
  await options.checkLogin(login, async () =>
    context === undefined || login.subscriber === ""
      ? undefined
      : (await context.subscribers.read(id))?.subscriber,
  );
  if (context === undefined) throw wrong();
  try {
    const key = { name: "login", lifetimeMs: options.tokenTtlMs };
    const minted = await context.keys.mint(id, key);
    return jsonAnswer(200, tokenView(minted.token, minted.key), CORS);
  } catch (error) {
    // Deactivated or deleted since the password was looked at.
    const gone = error instanceof AuthError && ["conflict", "not_found"].includes(error.code);
    throw gone ? wrong() : error;
  }
}

const wrong = () => new AuthError("invalid_grant", "The username or password is wrong");

/** By the form, or by HTTP Basic; throws AuthError `invalid_request` for neither, and for both. */
function credentialsOf(c: Asked, form: ReadonlyMap<string, string>) {
  const [, basic] = /^basic +(\S+) *$/i.exec(c.req.header("authorization") ?? "") ?? [];
  const [username, password] = [form.get("username"), form.get("password")];
  if (basic !== undefined && username === undefined && password === undefined) {
    const text = Buffer.from(basic, "base64").toString();
    const colon = text.indexOf(":");
    if (colon >= 0) return { username: text.slice(0, colon), password: text.slice(colon + 1) };
  } else if (basic === undefined && username !== undefined && password !== undefined) {
    return { username, password };
  }
  const detail = "A login has username and password, in the form or as HTTP Basic";
  throw new AuthError("invalid_request", detail);
}

function domainAt(c: Asked, domain: string, { contexts }: OAuthOptions) {
  const here = servedAt(contexts, c.env.mount);
  return here.get(domain === "self" ? (c.env.mount.app ?? "") : domain);
}

/** Knowing a token is the right to end it (§13.3); a domain key may also end one that no server vouches for any more. */
async function revoke(c: Asked, options: OAuthOptions): Promise<Response> {
  const token = requireToken(await formOf(c));
  const key = options.callers.admit(c.req.raw, { scope: "messaging" });
  for (const [app, context] of servedAt(options.contexts, c.env.mount)) {
    const trusted = !(key instanceof ApiRefusal) && key.app === app;
    const hash = await context.bearers.revoke(token, trusted);
    if (hash !== undefined) await context.ends.token(hash);
  }
  return jsonAnswer(200, {}, CORS);
}

async function introspect(c: Asked, options: OAuthOptions): Promise<Response> {
  const key = options.callers.admit(c.req.raw, { scope: "messaging" });
  if (key instanceof ApiRefusal) throw refused(key);
  const context = options.contexts.get(key.app);
  if (context === undefined || !serves(c.env.mount, key.app)) {
    throw refused(new ApiRefusal(401, "The API key belongs to another app than this address"));
  }
  const bearer = await context.bearers.find(requireToken(await formOf(c)));
  if (bearer instanceof BearerFault) return jsonAnswer(200, { active: false }, CORS);
  const { subscriber: sub, expiresMs } = bearer;
  const exp = expiresMs === Infinity ? {} : { exp: Math.floor(expiresMs / 1000) };
  const { domain } = context;
  return jsonAnswer(200, { active: true, sub, domain, ...exp, token_type: "Bearer" }, CORS);
}

function requireToken(form: ReadonlyMap<string, string>): string {
  const token = form.get("token");
  if (token === undefined) throw new AuthError("invalid_request", "The form has no token");
  return token;
}

/** RFC 6749 §3.2: a parameter may not be given twice. Throws AuthError. */
async function formOf({ req, env }: Asked): Promise<ReadonlyMap<string, string>> {
  const type = req.header("content-type") ?? "";
  if (!/^application\/x-www-form-urlencoded *(?:;|$)/i.test(type)) {
    const detail = "The body is not a form: send application/x-www-form-urlencoded";
    throw new AuthError("invalid_request", detail);
  }
  const text = Buffer.from(await bodyOf(env.readBody, FORM_BYTES_MAX)).toString();
  const form = new Map<string, string>();
  for (const [name, value] of new URLSearchParams(text)) {
    if (form.has(name)) throw new AuthError("invalid_request", "A parameter is given twice");
    form.set(name, value);
  }
  return form;
}

/** Calls of gusher's master API, and the two sockets that its checklist is written for. */
import { GRANT_Z, openGusher, PUBLIC_PEM, type GusherClient, type GusherServer } from "./gusher.ts";

export interface MasterAnswer {
  readonly status: number;
  readonly type: string | null;
  readonly body: string;
}

export interface Sent {
  readonly method?: string;
  /** Sent as a form. */
  readonly fields?: Readonly<Record<string, string>>;
  readonly headers?: Readonly<Record<string, string>>;
}

const JSON_TYPE = "application/json;charset=UTF-8";
const TEXT_TYPE = "text/plain; charset=utf-8";

/** What a success looks like (§2). */
export const ok = (body: string): MasterAnswer => ({ status: 200, type: JSON_TYPE, body });
/** What a handler's error looks like (§2). */
export const refused = (body: string): MasterAnswer => ({ status: 400, type: TEXT_TYPE, body });

/** A POST to `{M}` and this path. */
export function callMaster(
  server: { readonly masterUrl: string },
  path: string,
  fields?: Readonly<Record<string, string>>,
): Promise<MasterAnswer> {
  return send(server.masterUrl + path, fields === undefined ? {} : { fields });
}

export function getMaster(
  server: { readonly masterUrl: string },
  path: string,
): Promise<MasterAnswer> {
  return send(server.masterUrl + path, { method: "GET" });
}

/** The parsed answer of a list. */
export async function list(server: { readonly masterUrl: string }, path: string): Promise<unknown> {
  const { status, type, body } = await getMaster(server, path);
  if (status !== 200 || type !== JSON_TYPE) throw new Error(`${path} answered ${status} ${body}`);
  return JSON.parse(body);
}

export async function send(url: string, sent: Sent = {}): Promise<MasterAnswer> {
  const { method = "POST", fields, headers = {} } = sent;
  const response = await fetch(url, {
    method,
    headers,
    redirect: "manual",
    ...(fields === undefined ? {} : { body: new URLSearchParams(fields) }),
  });
  const type = response.headers.get("content-type");
  return { status: response.status, type, body: await response.text() };
}

export interface Sockets extends Disposable {
  /** User `u1`, subscribed to `AA`. */
  readonly s1: GusherClient;
  /** User `u2`, subscribed to `AA`, `App1` and `App2`. */
  readonly s2: GusherClient;
}

/** §16, in front of item 33. */
export async function openSockets(server: GusherServer): Promise<Sockets> {
  const s1 = await openGusher(server);
  const s2 = await openGusher(server, GRANT_Z);
  await subscribe(s1, "AA");
  for (const channel of ["AA", "App1", "App2"]) await subscribe(s2, channel);
  return {
    s1,
    s2,
    [Symbol.dispose]() {
      s1[Symbol.dispose]();
      s2[Symbol.dispose]();
    },
  };
}

export async function subscribe(client: GusherClient, channel: string): Promise<void> {
  const { event } = await client.ask("gusher.subscribe", { channel });
  if (event !== "gusher.subscribe_succeeded") throw new Error(`Not subscribed to ${channel}`);
}

/** App `TEST` and a second one, `OTHER`, whose JWTs the same key signs. */
export const TWO_APPS = {
  apps: [{ id: "TEST" }, { id: "OTHER", path_prefix: "/other" }],
  api_keys: [],
  signing_keys: ["TEST", "OTHER"].map((app) => ({
    ...{ app, use: "gusher", public_key: PUBLIC_PEM },
    algorithms: ["RS256"],
  })),
};

/** A server of the gusher dialect as its specification's checklist assumes it, and a client that sees its frames as they are. */
import { createHmac, generateKeyPairSync, sign, constants, type KeyObject } from "node:crypto";
import type { Engine } from "../../src/core/engine.ts";
import { createTestEngine } from "./engine.ts";
import { DEV_TOKEN_SECRET } from "./tokens.ts";
import { connectRaw, type RawFrame, type RawWebSocket } from "./raw-websocket.ts";
import { createTestRuntime, type TestRuntime } from "./runtime.ts";
import { bootServer, type BootedServer, type BootOptions } from "./server.ts";
import { jsonOf } from "../../src/core/json-text.ts";

export type Json = Readonly<Record<string, unknown>>;

export interface GusherOptions extends Pick<BootOptions, "dataDir" | "config" | "engine"> {
  readonly gusher?: Json;
  readonly runtime?: TestRuntime;
  /** Options of channels without a namespace, over those of development mode. */
  readonly withoutNamespace?: Json;
}

export interface GusherServer extends BootedServer {
  readonly runtime: TestRuntime;
  readonly engine: Engine;
  /** `{S}` of the specification, on the `clients` listener. */
  readonly slaveUrl: string;
  /** `{M}`, on the `api` listener. */
  readonly masterUrl: string;
  /** The jobs of app `TEST` in a queue, which are then leased. */
  jobs(queue: string): Promise<readonly string[]>;
  /** Unix time in whole seconds. */
  seconds(fromNow?: number): number;
  /** What a subscriber of another dialect would be sent as well. */
  publish(channel: string, data: unknown, event?: string): Promise<void>;
}

/** One pair for all tests: making one takes long. */
export const KEYS = generateKeyPairSync("rsa", { modulusLength: 2048 });
export const PUBLIC_PEM = KEYS.publicKey.export({ type: "spki", format: "pem" }).toString();

/** §16: the fixture's two grants. */
export const GRANT_A = {
  channels: ["AA", "BB", "app*", "t*st"],
  user_id: "u1",
  app_key: "TEST",
  remotes: { chat: true, off: false },
};
export const GRANT_Z = { ...GRANT_A, channels: ["*"], user_id: "u2" };

/** App `TEST`, whose JWTs are signed by `KEYS`; everything else as in development mode. */
export async function bootGusher(options: GusherOptions = {}): Promise<GusherServer> {
  const { gusher = {}, dataDir, withoutNamespace, config } = options;
  const runtime = options.runtime ?? createTestRuntime();
  const engine = options.engine ?? createTestEngine({ dataDir, runtime });
  const server = await bootServer({
    runtime,
    engine,
    ...(dataDir === undefined ? {} : { dataDir }),
    config: {
      apps: [{ id: "TEST", allowed_origins: ["*"] }],
      signing_keys: [
        { use: "streaming", hmac_secret: DEV_TOKEN_SECRET },
        { use: "gusher", public_key: PUBLIC_PEM, algorithms: ["RS256", "RS384", "RS512"] },
      ],
      gusher,
      ...(withoutNamespace === undefined
        ? {}
        : { channel: { without_namespace: withoutNamespace } }),
      ...config,
    },
  });
  return {
    ...server,
    runtime,
    engine,
    async jobs(queue) {
      const jobs = await engine.app("TEST").queue.take(queue, { limit: 100, leaseMs: 60_000 });
      return jobs.map(({ payload }) => payload);
    },
    slaveUrl: `${server.clientsUrl}/gusher`,
    masterUrl: `${server.apiUrl}/gusher`,
    seconds: (fromNow = 0) => Math.floor(runtime.clock.epochMs() / 1000) + fromNow,
    async publish(name, data, event) {
      await server.hub.publish(
        { space: "channels", name },
        {
          data: { json: jsonOf(data ?? null) },
          ...(event === undefined ? {} : { tags: { event } }),
        },
      );
    },
  };
}

export interface JwtOptions {
  /** Default RS256, as `KEYS` sign it. */
  readonly alg?: string;
  readonly key?: KeyObject;
  readonly header?: Json;
}

/** A JWT with exactly these claims, of the algorithm that its header names; `none` has no signature. */
export function jwt(claims: Json, { alg = "RS256", key, header }: JwtOptions = {}): string {
  const encode = (value: unknown) => Buffer.from(JSON.stringify(value)).toString("base64url");
  const signed = `${encode({ alg, typ: "JWT", ...header })}.${encode(claims)}`;
  return `${signed}.${signature(signed, alg, key ?? KEYS.privateKey)}`;
}

function signature(text: string, alg: string, key: KeyObject): string {
  if (alg === "none") return "";
  const hash = `sha${alg.slice(2)}`;
  if (alg.startsWith("HS")) return createHmac(hash, PUBLIC_PEM).update(text).digest("base64url");
  const padding = alg.startsWith("PS") ? constants.RSA_PKCS1_PSS_PADDING : undefined;
  const saltLength = constants.RSA_PSS_SALTLEN_DIGEST;
  const options = padding === undefined ? { key } : { key, padding, saltLength };
  return sign(hash, Buffer.from(text), options).toString("base64url");
}

/** A login: the answer as it is. */
export function logIn(
  server: { readonly slaveUrl: string },
  token: string,
): Promise<{ readonly status: number; readonly headers: Headers; readonly body: string }> {
  return post(`${server.slaveUrl}/auth`, new URLSearchParams({ jwt: token }));
}

export async function post(
  url: string,
  body?: string | URLSearchParams | FormData,
  headers: Readonly<Record<string, string>> = {},
): Promise<{ readonly status: number; readonly headers: Headers; readonly body: string }> {
  const response = await fetch(url, {
    method: "POST",
    headers,
    ...(body === undefined ? {} : { body }),
  });
  return { status: response.status, headers: response.headers, body: await response.text() };
}

/** The opaque token for a grant. */
export async function tokenFor(
  server: { readonly slaveUrl: string },
  grant: Json,
): Promise<string> {
  const { status, body } = await logIn(server, jwt({ gusher: grant }));
  if (status !== 200) throw new Error(`Login refused: ${body}`);
  return (JSON.parse(body) as { token: string }).token;
}

export function socketUrl(
  server: { readonly slaveUrl: string },
  token: string,
  path = "/ws/TEST",
): string {
  return `${server.slaveUrl}${path}?token=${token}`;
}

export interface GusherClient extends Disposable {
  readonly raw: RawWebSocket;
  /** Objects go out as JSON, text as it is. */
  send(frame: Json | string): void;
  /** The next text frame, parsed; rejects when anything else comes or the connection ends. */
  next(): Promise<unknown>;
  /** Sends a command; the next frame, with `SID` for the socket's id, which is checked to stay one. */
  ask(event: string, data: unknown, more?: Json): Promise<Json>;
  /** Frames that came before the answer to a ping. */
  arrived(): Promise<unknown[]>;
  /** Learnt by asking. */
  socketId(): Promise<string>;
  /** Text frames and the close frame up to the connection's end. */
  ended(): Promise<{ readonly texts: readonly string[]; readonly code: number | undefined }>;
}

/** A fresh socket under this grant. */
export async function openGusher(
  server: GusherServer,
  grant: Json = GRANT_A,
): Promise<GusherClient> {
  return gusherClient(await connectRaw(socketUrl(server, await tokenFor(server, grant))));
}

export function gusherClient(raw: RawWebSocket): GusherClient {
  let id: string | undefined;

  async function next(): Promise<unknown> {
    const frame = await raw.next();
    if (frame.opcode !== 1) throw new Error(`Frame ${frame.opcode}: ${frame.code} ${frame.text}`);
    return JSON.parse(frame.text);
  }

  function withoutId(frame: unknown): Json {
    const { socket_id, ...rest } = frame as { socket_id?: unknown };
    if (typeof socket_id !== "string" || socket_id === "") {
      throw new Error(`No reply: ${JSON.stringify(frame)}`);
    }
    id ??= socket_id;
    if (id !== socket_id) throw new Error("The socket's id changed");
    return { ...rest, socket_id: "SID" };
  }

  const client: GusherClient = {
    raw,
    send: (frame) => raw.send(typeof frame === "string" ? frame : JSON.stringify(frame)),
    next,
    async ask(event, data, more = {}) {
      client.send({ event, data, ...more });
      return withoutId(await next());
    },
    async arrived() {
      client.send({ event: "gusher.ping", data: "arrived" });
      const frames: unknown[] = [];
      for (;;) {
        const frame = await next();
        if (isPong(frame)) return frames;
        frames.push(frame);
      }
    },
    async socketId() {
      await client.ask("gusher.querychannel", {});
      return id ?? "";
    },
    async ended() {
      const frames: RawFrame[] = await raw.rest();
      raw.destroy();
      const close = frames.find(({ opcode }) => opcode === 8);
      return {
        texts: frames.filter(({ opcode }) => opcode === 1).map(({ text }) => text),
        code: close?.code,
      };
    },
    [Symbol.dispose]: () => raw.destroy(),
  };
  return client;
}

function isPong(frame: unknown): boolean {
  const { event, data } = (frame ?? {}) as { event?: unknown; data?: unknown };
  return event === "gusher.pong_succeeded" && data === "arrived";
}

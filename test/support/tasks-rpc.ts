/** The JSON-RPC calls of the task-token dialect, as backends send them. */
import { createHmac } from "node:crypto";
import type { BootedServer } from "./server.ts";

/** Of app `dev` in development mode. */
export const DEV_SECRET = "dev-api-key";

export interface RpcAnswer {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
  /** Parsed; undefined without a body. */
  readonly body: RpcBody | undefined;
}

export interface RpcBody {
  readonly id: unknown;
  readonly jsonrpc: unknown;
  readonly error: {
    readonly code: number;
    readonly message: string;
    readonly data?: unknown;
  } | null;
  readonly result?: Readonly<Record<string, unknown>>;
}

export interface RpcOptions {
  /** Default `/rpc`. */
  readonly path?: string;
  readonly method?: string;
  /** Default: those of `signed`. */
  readonly headers?: Readonly<Record<string, string>>;
}

/** §4.2. `timestamp`: Unix seconds, signed with the body. */
export function sign(
  body: string | Uint8Array,
  options: { readonly secret?: string; readonly timestamp?: number | string } = {},
): string {
  const { secret = DEV_SECRET, timestamp } = options;
  const mac = createHmac("sha512", secret);
  if (timestamp !== undefined) mac.update(`${timestamp}.`);
  return mac.update(body).digest("hex");
}

/** The headers of a signed call. */
export function signed(
  body: string | Uint8Array,
  options: {
    readonly publicId?: string;
    readonly secret?: string;
    readonly timestamp?: number | string;
  } = {},
): Record<string, string> {
  const { publicId = "dev", timestamp } = options;
  return {
    "public-id": publicId,
    sign: sign(body, options),
    ...(timestamp === undefined ? {} : { "sign-timestamp": `${timestamp}` }),
  };
}

/** Posts the body as it is. */
export async function postRpc(
  server: Pick<BootedServer, "apiUrl">,
  body: string | Uint8Array<ArrayBuffer>,
  options: RpcOptions = {},
): Promise<RpcAnswer> {
  const { path = "/rpc", method = "POST", headers = signed(body) } = options;
  const bodiless = method === "GET" || method === "HEAD";
  const response = await fetch(server.apiUrl + path, {
    ...{ method, headers },
    ...(bodiless ? {} : { body }),
  });
  const text = await response.text();
  const isJson = response.headers.get("content-type") === "application/json";
  return {
    ...{ status: response.status, headers: response.headers, text },
    body: isJson ? (JSON.parse(text) as RpcBody) : undefined,
  };
}

/** A signed call with id `"2"`, as the known clients send. */
export function callRpc(
  server: Pick<BootedServer, "apiUrl">,
  method: string,
  params: unknown,
  options: RpcOptions = {},
): Promise<RpcAnswer> {
  return postRpc(server, JSON.stringify({ jsonrpc: "2.0", id: "2", method, params }), options);
}

/** The result of a call that must succeed. */
export async function resultOf(
  server: Pick<BootedServer, "apiUrl">,
  method: string,
  params: unknown,
  options: RpcOptions = {},
): Promise<Readonly<Record<string, unknown>>> {
  const { text, body } = await callRpc(server, method, params, options);
  if (body?.result === undefined) throw new Error(`${method} answered ${text}`);
  return body.result;
}

/** A task's id and a token for it. */
export async function issueToken(
  server: Pick<BootedServer, "apiUrl">,
  task: Readonly<Record<string, unknown>> = {},
  params: Readonly<Record<string, unknown>> = {},
): Promise<{ readonly taskId: string; readonly clientToken: string }> {
  const result = await resultOf(server, "get_envoy_token", { ...params, Task: task });
  return { taskId: String(result["task_id"]), clientToken: String(result["client_token"]) };
}

/** Code and data of a failed call. */
export function failureOf({ text, body }: RpcAnswer): readonly [code: number, data: unknown] {
  if (body === undefined || body.error === null) throw new Error(`No failure: ${text}`);
  if ("result" in body) throw new Error(`A failure with a result: ${text}`);
  return [body.error.code, body.error.data];
}

/** An accepted connection that collects its frames; the first one, which says that it is, is read unless it is kept. */
export async function waitForTask(
  server: Pick<BootedServer, "clientsUrl">,
  clientToken: string,
  options: { readonly keepFirst?: boolean } = {},
) {
  const socket = new WebSocket(server.clientsUrl.replace("http", "ws"));
  const frames: TaskFrame[] = [];
  let wake = (): void => {};
  socket.onmessage = ({ data }) => {
    frames.push(JSON.parse(String(data)) as TaskFrame);
    wake();
  };
  const closed = new Promise<number>((resolve) => {
    socket.onclose = ({ code }) => resolve(code);
  });
  socket.onopen = () => socket.send(JSON.stringify({ ClientToken: clientToken }));
  const next = async () => {
    while (frames.length === 0) await new Promise<void>((resolve) => (wake = resolve));
    return frames.shift();
  };
  const first = await next();
  if (first?.Error !== "") throw new Error(`Not accepted: ${first?.Error}`);
  if (options.keepFirst === true) frames.unshift(first);
  return { closed, next, socket };
}

interface TaskFrame {
  readonly Error: string;
  readonly Ticks: string;
  readonly Message: string;
  readonly Completed: boolean;
}

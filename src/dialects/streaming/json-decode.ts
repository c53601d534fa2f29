/** Commands out of JSON frames (centrifugo-protocol.md §1.1, §1.3, §1.4). `bytes` fields stay the text that the client wrote. */
import { HubError } from "../../core/errors.ts";
import { type JsonView, jsonView } from "../../core/json-text.ts";
import { lazy } from "../../core/lazy.ts";
import type { Frame } from "../../core/types.ts";
import {
  type Command,
  type ConnectRequest,
  MalformedFrame,
  METHODS,
  type PublishRequest,
  type ReceivedPayload,
  type Request,
  type SubscribeRequest,
} from "./protocol.ts";

/** Bytes are taken for UTF-8 text: a transport that posts bodies need not know the encoding. */
export function* decodeJson(frame: Frame): Generator<Command, void, undefined> {
  const text = typeof frame === "string" ? frame : utf8Text(frame);
  // §1.1: one trailing LF is tolerated; any other blank line, and so an empty frame, is malformed.
  const end = text.endsWith("\n") ? text.length - 1 : text.length;
  for (let from = 0; from <= end;) {
    const lineFeed = text.indexOf("\n", from);
    const to = lineFeed === -1 ? end : lineFeed;
    yield decodeCommand(from === 0 && to === text.length ? text : text.slice(from, to));
    from = to + 1;
    if (to === end) return;
  }
}

type Members = Readonly<Record<string, unknown>>;

/** The text behind a message, looked for only when it holds a payload: the parsed form has lost its digits. */
type Source = () => JsonView | undefined;

function decodeCommand(line: string): Command {
  const members = object(parsed(line), "command");
  const id = integer(members, "id", 0, UINT32_MAX);
  for (const method of METHODS) {
    const params = members[method];
    if (params === undefined || params === null) continue;
    const source = lazy(() => checked(line).member(method));
    return { id, request: decodeRequest(method, object(params, method), source) };
  }
  return { id };
}

function decodeRequest(method: Request["method"], fields: Members, source: Source): Request {
  switch (method) {
    case "connect":
      return { method, params: connectRequest(fields, source) };
    case "ping":
      return { method };
    case "subscribe":
      return { method, params: subscribeRequest(fields, source) };
    case "publish":
      return { method, params: publishRequest(fields, source) };
    case "unsubscribe":
    case "presence":
    case "presence_stats":
      return { method, params: { channel: string(fields, "channel") } };
    case "history": {
      const since = optionalObject(fields, "since");
      return {
        method,
        params: {
          channel: string(fields, "channel"),
          limit: int32(fields, "limit"),
          reverse: boolean(fields, "reverse"),
          ...(since && {
            since: { offset: unsigned(since, "offset"), epoch: string(since, "epoch") },
          }),
        },
      };
    }
    case "rpc":
      return {
        method,
        params: { method: string(fields, "method"), data: payload(fields, source) },
      };
    case "send":
      return { method, params: { data: payload(fields, source) } };
    case "refresh":
      return { method, params: { token: string(fields, "token") } };
    case "sub_refresh":
      return {
        method,
        params: { channel: string(fields, "channel"), token: string(fields, "token") },
      };
  }
}

function connectRequest(fields: Members, source: Source): ConnectRequest {
  const subs = optionalObject(fields, "subs");
  return {
    token: string(fields, "token"),
    subs: subs === undefined ? NO_SUBS : subscribeRequests(subs, source),
    name: string(fields, "name"),
    version: string(fields, "version"),
    data: payload(fields, source),
  };
}

const NO_SUBS: ReadonlyMap<string, SubscribeRequest> = new Map();

function subscribeRequests(fields: Members, source: Source): ReadonlyMap<string, SubscribeRequest> {
  const subs = new Map<string, SubscribeRequest>();
  const views = lazy(() => source()?.member("subs")?.members());
  for (const [channel, sub] of Object.entries(fields)) {
    if (sub === null) continue;
    subs.set(
      channel,
      subscribeRequest(object(sub, "subs"), () => views()?.get(channel)),
    );
  }
  return subs;
}

function subscribeRequest(fields: Members, source: Source): SubscribeRequest {
  return {
    channel: string(fields, "channel"),
    token: string(fields, "token"),
    recover: boolean(fields, "recover"),
    epoch: string(fields, "epoch"),
    offset: unsigned(fields, "offset"),
    positioned: boolean(fields, "positioned"),
    recoverable: boolean(fields, "recoverable"),
    join_leave: boolean(fields, "join_leave"),
    delta: string(fields, "delta"),
    filtered: optionalObject(fields, "tf") !== undefined,
    flag: integer(fields, "flag", Number.MIN_SAFE_INTEGER, Number.MAX_SAFE_INTEGER),
    type: int32(fields, "type"),
    data: payload(fields, source),
  };
}

function publishRequest(fields: Members, source: Source): PublishRequest {
  return {
    channel: string(fields, "channel"),
    type: int32(fields, "type"),
    data: payload(fields, source),
  };
}

/** §1.3: raw embedded JSON. `null` is a payload like any other; only an absent member is none. */
function payload(fields: Members, source: Source): ReceivedPayload | undefined {
  if (fields["data"] === undefined) return undefined;
  const data = source()?.member("data");
  return data === undefined ? undefined : received(data);
}

function received(data: JsonView): ReceivedPayload {
  try {
    return { json: data.json };
  } catch (error) {
    if (error instanceof HubError) return error;
    throw error;
  }
}

/** §1.3 for sub-messages: `null` equals absence. As the reference server reads JSON, that holds for scalars too. */
function optionalObject(fields: Members, name: string): Members | undefined {
  const value = fields[name] ?? undefined;
  return value === undefined ? undefined : object(value, name);
}

function object(value: unknown, name: string): Members {
  if (!isMembers(value)) throw new MalformedFrame(`"${name}" must be an object`);
  return value;
}

function isMembers(value: unknown): value is Members {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function string(fields: Members, name: string): string {
  const value = fields[name] ?? "";
  if (typeof value !== "string") throw new MalformedFrame(`"${name}" must be a string`);
  return value;
}

function boolean(fields: Members, name: string): boolean {
  const value = fields[name] ?? false;
  if (typeof value !== "boolean") throw new MalformedFrame(`"${name}" must be a boolean`);
  return value;
}

const UINT32_MAX = 0xffff_ffff;
const INT32_MIN = -0x8000_0000;
const INT32_MAX = 0x7fff_ffff;

function int32(fields: Members, name: string): number {
  return integer(fields, name, INT32_MIN, INT32_MAX);
}

/** A u64, as far as numbers are exact: nobody has an offset beyond. */
function unsigned(fields: Members, name: string): number {
  return integer(fields, name, 0, Number.MAX_SAFE_INTEGER);
}

function integer(fields: Members, name: string, min: number, max: number): number {
  const value = fields[name] ?? 0;
  if (typeof value !== "number" || !Number.isInteger(value) || value < min || value > max) {
    throw new MalformedFrame(`"${name}" must be an integer in its range`);
  }
  return value === 0 ? 0 : value; // -0 is 0
}

function parsed(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    // Without its cause: the parser's message may quote the line, and with it a token or payload.
    throw new MalformedFrame("The command is not JSON");
  }
}

function checked(line: string): JsonView {
  try {
    return jsonView(line);
  } catch {
    return withAnyNumbers(line);
  }
}

/** What a publication may not hold is answered where it is published, and ends no connection. */
function withAnyNumbers(line: string): JsonView {
  try {
    return jsonView(line, { anyNumbers: true });
  } catch (error) {
    if (error instanceof HubError) throw new MalformedFrame(error.message, { cause: error });
    throw error;
  }
}

const strictUtf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

function utf8Text(bytes: Uint8Array): string {
  try {
    return strictUtf8.decode(bytes);
  } catch (error) {
    throw new MalformedFrame("The frame is not UTF-8", { cause: error });
  }
}

/** Operations of the API (§1.4, §1.5): the keys that each requires, and its effect. */
import type { CompactJson, JsonView } from "../../core/json-text.ts";
import { isReachable } from "../../core/namespaces.ts";
import { CHANNELS, type Reach, type Target } from "../../core/types.ts";
import type { SoraContext } from "./context.ts";
import { errorText, type ErrorType } from "./errors.ts";
import { channelRoleLabel, clientLabel, isId, ROLES, type Role } from "./ids.ts";
import { connectionText } from "./member.ts";

/** Answered 400 with this JSON text. */
export class OperationError extends Error {
  readonly type: ErrorType;
  readonly text: string;

  /** `reason`: JSON text. */
  constructor(type: ErrorType, reason?: string) {
    super("Refused");
    this.type = type;
    this.text = errorText(type, reason);
  }
}

interface Arguments {
  /** The keys that are strings. */
  readonly texts: Readonly<Record<string, string>>;
  /** Compact, as its sender wrote it otherwise. */
  readonly data: CompactJson | undefined;
}

export interface Call extends Arguments {
  readonly context: SoraContext;
  readonly reach: Reach;
}

type Key = "channel_id" | "client_id" | "connection_id" | "role" | "data";

export interface Operation {
  /** Required, in the order in which they are looked at. */
  readonly keys: readonly Key[];
  /** Throws OperationError for the first violation. */
  read(view: JsonView): Arguments;
  /** The answer's text. */
  run(call: Call): Promise<string>;
}

export const KEY_SCHEMAS: Readonly<Record<Key, object>> = {
  channel_id: { type: "string" },
  client_id: { type: "string" },
  connection_id: { type: "string" },
  role: { type: "string", enum: ROLES },
  data: { type: "object" },
};

/** By version and name. */
export const OPERATIONS: Readonly<Record<string, Operation>> = {
  "20160711.PushChannel": operation(["channel_id", "data"], pushToChannel),
  "20160711.PushClient": operation(["channel_id", "client_id", "data"], pushTo),
  "20160711.PushConnection": operation(["channel_id", "connection_id", "data"], pushTo),
  "20201120.PushChannelByRole": operation(["channel_id", "role", "data"], pushTo),
  "20151104.DisconnectChannel": operation(["channel_id"], disconnect),
  "20151104.DisconnectClient": operation(["channel_id", "client_id"], disconnect),
  "20151104.DisconnectConnection": operation(["channel_id", "connection_id"], disconnect),
  "20201120.DisconnectChannelByRole": operation(["channel_id", "role"], disconnect),
  "20201013.ListConnections": operation([], listConnections),
  "20201013.ListChannelConnections": operation(["channel_id"], listConnections),
  "20201013.ListChannels": operation([], listChannels),
};

function operation(keys: readonly Key[], run: Operation["run"]): Operation {
  const schema = {
    type: "object",
    properties: Object.fromEntries(keys.map((key) => [key, KEY_SCHEMAS[key]])),
    required: keys,
  };

  function read(view: JsonView): Arguments {
    if (view.kind !== "object") throw violation("wrong_type", view.raw, [], schema);
    const texts: Record<string, string> = {};
    let data: CompactJson | undefined;
    for (const key of keys) {
      const member = view.member(key);
      if (member === undefined) {
        throw violation("missing_required_property", JSON.stringify(key), [], schema);
      }
      const wrong = (error: string) => violation(error, member.raw, [key], KEY_SCHEMAS[key]);
      if (member.kind !== (key === "data" ? "object" : "string")) throw wrong("wrong_type");
      if (key === "data") {
        data = member.json;
        continue;
      }
      const text = String(member.value);
      if (key === "role" && !ROLES.some((role) => role === text)) throw wrong("not_in_enum");
      texts[key] = text;
    }
    return { texts, data };
  }

  return { keys, read, run };
}

/** §1.3, rows 12 to 14. `data`: JSON text. */
function violation(
  error: string,
  data: string,
  path: readonly string[],
  schema: object,
): OperationError {
  const about = `"path":${JSON.stringify(path)},"schema":${JSON.stringify(schema)}`;
  const reason = `[{"invalid":"data","error":"${error}","data":${data},${about}}]`;
  return new OperationError("InvalidJSON", reason);
}

const NOT_FOUND = {
  channel: "CHANNEL-NOT-FOUND",
  client: "CLIENT-NOT-FOUND",
  connection: "CONNECTION-NOT-FOUND",
} as const;

function notFound(what: keyof typeof NOT_FOUND): OperationError {
  return new OperationError(NOT_FOUND[what]);
}

function echo(data: CompactJson | undefined): string {
  return `{"data":${data ?? "{}"},"type":"push"}`;
}

async function pushToChannel(call: Call): Promise<string> {
  const { context, texts, data } = call;
  const { channel_id: name = "" } = texts;
  const reached = reaches(call, name);
  if (context.settings.unknown_target === "error") await requireChannel(call, name);
  if (reached && data !== undefined) {
    await context.hub.publish({ space: CHANNELS, name }, { data: { json: data } });
  }
  return echo(data);
}

async function pushTo(call: Call): Promise<string> {
  const { context, data } = call;
  const target = targetOf(call);
  const { matched } =
    target === undefined || data === undefined
      ? { matched: 0 }
      : await context.hub.push(target, { data: { json: data } });
  if (matched === 0) await requireFound(call);
  return echo(data);
}

/** §1.5: the request's `reason` is for webhooks, which do not exist here. */
async function disconnect(call: Call): Promise<string> {
  const { context, texts } = call;
  const target = targetOf(call);
  const { matched } =
    target === undefined
      ? { matched: 0 }
      : await context.hub.disconnect(target, { disconnect: "ended" });
  if (matched === 0) await requireFound(call);
  return JSON.stringify(texts);
}

async function listConnections({ context, texts }: Call): Promise<string> {
  const members = await context.rooms.list(texts["channel_id"]);
  return `[${members.map(connectionText).join()}]`;
}

async function listChannels({ context }: Call): Promise<string> {
  const names = new Set((await context.rooms.list()).map(({ channelId }) => channelId));
  const channels = [...names].map((name) => {
    return { channel_id: name, multistream: true, spotlight: false };
  });
  return JSON.stringify(channels);
}

/** The target that the keys name; undefined: nobody within the call's reach. */
function targetOf(call: Call): Target | undefined {
  const { texts, reach } = call;
  const { channel_id: name = "", client_id: clientId, connection_id: connection } = texts;
  if (!reaches(call, name)) return undefined;
  const channel = { space: CHANNELS, name };
  if (connection !== undefined) return { connection, channel, reach };
  if (clientId !== undefined) {
    return isId(clientId) ? { label: clientLabel(name, clientId), reach } : undefined;
  }
  const { role } = texts;
  return role === undefined
    ? { channel, reach }
    : { label: channelRoleLabel(name, role as Role), reach };
}

/** Whether the call may reach the channel, and anybody can be in it. */
function reaches({ context: { hub, onEvent }, reach }: Call, name: string): boolean {
  if (!isId(name)) return false;
  if (isReachable(hub.namespaces, name, reach)) return true;
  const detail = "Channels of other dialects need an API key with their scope";
  onEvent("Push left out", { word: "scope_missing", channels: 1, detail });
  return false;
}

/** Nobody was found. */
async function requireFound(call: Call): Promise<void> {
  const { context, texts } = call;
  if (context.settings.unknown_target === "ok") return;
  await requireChannel(call, texts["channel_id"] ?? "");
  if (texts["connection_id"] !== undefined) throw notFound("connection");
  if (texts["client_id"] !== undefined) throw notFound("client");
}

/** A channel exists while a connection of any dialect is in it. */
async function requireChannel({ context: { hub }, reach }: Call, name: string): Promise<void> {
  if (!isId(name)) throw notFound("channel");
  const pattern = `^\\Q${name.replaceAll("\\E", "\\E\\\\E\\Q")}\\E$`;
  const found = await hub.channels({ pattern, reach });
  if (!found.has(name)) throw notFound("channel");
}

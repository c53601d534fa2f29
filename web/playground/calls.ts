/** Pushes as calls of the server's API, each by the protocol that has it, and as a line for a terminal. */
import type { ApiAnswer, ApiCall } from "./server.ts";
import { memberOf, parse } from "./positions.ts";

export type TargetKind = "channel" | "pattern" | "user" | "role" | "client" | "connection" | "task";

export interface Push {
  readonly kind: TargetKind;
  readonly target: string;
  /** Where Sora's roles, clients and connections are. */
  readonly channel: string;
  /** JSON, which arrives as it is written. */
  readonly data: string;
  readonly app: string;
  /** The connection is one of Sora's, which have ids of their own. */
  readonly isSora?: boolean;
}

/** Whom a push is for, in words. */
export const TARGETS: Readonly<Record<TargetKind, readonly [name: string, about: string]>> = {
  channel: ["Channel", "everybody in the channel, whatever they speak"],
  pattern: ["Pattern", "all channels whose names the expression finds"],
  user: ["User", "all connections of the user, whatever they speak"],
  role: ["Role", "Sora’s connections in the shared channel that have the role"],
  client: ["Client", "Sora’s connections in the shared channel with the client id"],
  connection: ["Connection", "this connection alone"],
  task: ["Task", "those who wait for the task"],
};

const KEY = { "X-API-Key": "dev-api-key" };
const FORM = { ...KEY, "Content-Type": "application/x-www-form-urlencoded" };
/** How long those who wait for a task go on waiting behind a push, in minutes. */
const TASK_MINUTES = 60;

/** One call for all targets, which tells whom it matched; tasks are called by their own. Throws an Error for what no call can carry. */
export function callOf({ kind, target, channel, data, app }: Push): ApiCall {
  if (parse(data) === undefined) throw new Error("The payload is not JSON");
  if (kind === "task") return taskCall(target, data);
  const path = `/admin/api/push?app=${app}`;
  switch (kind) {
    case "role":
      return json(path, KEY, { label: `role:${segment(channel)}:${target}` }, data);
    case "client":
      return json(path, KEY, { label: `client:${segment(channel)}:${target}` }, data);
    case "channel":
    case "pattern":
    case "user":
    case "connection":
      return json(path, KEY, { [kind]: target }, data);
  }
}

export interface ProtocolCall {
  /** Whose API it is of. */
  readonly of: string;
  readonly call: ApiCall;
}

/** The same push as an application's backend does it, by a protocol's API. Undefined: there is no other. Throws likewise. */
export function protocolCallOf(push: Push): ProtocolCall | undefined {
  const { kind, target, channel, data, app, isSora } = push;
  switch (kind) {
    case "channel":
      return { of: "streaming", call: json("/api/publish", KEY, { channel: target }, data) };
    case "pattern": {
      const fields = { channel_pattern: target, event: "message", data };
      return { of: "gusher", call: form(`/gusher/push/${app}`, fields) };
    }
    case "user":
      return { of: "gusher", call: form(`/gusher/push/user/${app}/${segment(target)}`, { data }) };
    case "role":
      return sora("20201120.PushChannelByRole", { channel_id: channel, role: target }, data);
    case "client":
      return sora("20160711.PushClient", { channel_id: channel, client_id: target }, data);
    case "connection": {
      const members = { channel_id: channel, connection_id: target };
      if (isSora === true) return sora("20160711.PushConnection", members, data);
      const path = `/gusher/push/socket/${app}/${segment(target)}`;
      return { of: "gusher", call: form(path, { data }) };
    }
    case "task":
      return undefined;
  }
}

export function taskCall(id: string, data: string): ApiCall {
  const message = base64(data);
  const params = { task_id: id, message, new_timeout: TASK_MINUTES, report: true };
  const body = JSON.stringify({ jsonrpc: "2.0", id: "1", method: "invoke_envoy", params });
  return { path: "/rpc", headers: { ...KEY, "Content-Type": "application/json" }, body };
}

/** How a backend pushes to a channel by gusher's or Sora's own call. */
export function channelCallOf(
  dialect: "gusher" | "sora",
  { app, channel, data }: Pick<Push, "app" | "channel" | "data">,
): ApiCall {
  if (dialect === "gusher") {
    return form(`/gusher/push/${app}/${segment(channel)}/message`, { data });
  }
  return sora("20160711.PushChannel", { channel_id: channel }, data).call;
}

function sora(target: string, members: object, data: string): ProtocolCall {
  const headers = { ...KEY, "x-sora-target": `Sora_${target}` };
  return { of: "Sora", call: json("/", headers, members, data) };
}

/** The payload as it was written: JSON.parse would round its numbers. */
function json(path: string, headers: ApiCall["headers"], members: object, data: string): ApiCall {
  const body = `${JSON.stringify(members).slice(0, -1)},"data":${data.trim()}}`;
  return { path, headers: { ...headers, "Content-Type": "application/json" }, body };
}

function form(path: string, fields: Readonly<Record<string, string>>): ApiCall {
  return { path, headers: FORM, body: new URLSearchParams(fields).toString() };
}

function segment(name: string): string {
  try {
    return encodeURIComponent(name);
  } catch {
    throw new Error("The target holds half a surrogate pair, which no address can carry");
  }
}

export function base64(text: string): string {
  const bytes = new TextEncoder().encode(text);
  return btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join(""));
}

/** What the answer says of those it reached; `""`: nothing. */
export function reachedBy({ status, body }: ApiAnswer): string {
  if (status !== 200) return "";
  const answer = parse(body);
  const delivered = memberOf(memberOf(answer, "result"), "delivered");
  if (typeof delivered === "number") return `It matched ${delivered}: tasks ${delivered}`;
  const matched = memberOf(answer, "matched");
  if (typeof matched !== "number") return "";
  const byDialect = Object.entries(memberOf(answer, "by_dialect") ?? {});
  const channels = memberOf(answer, "channels");
  const found = typeof channels === "number" ? ` in ${channels} channels` : "";
  const each = byDialect.map(([dialect, count]) => `${dialect} ${String(count)}`).join(", ");
  return `It matched ${matched}${found}${each === "" ? "" : `: ${each}`}`;
}

/** For a POSIX shell. */
export function curlOf(apiUrl: string, { path, headers, body }: ApiCall): string {
  const parts = [`curl ${quoted(apiUrl + path)}`];
  const isForm = headers === FORM;
  for (const [name, value] of Object.entries(headers)) {
    if (!(isForm && name === "Content-Type")) parts.push(`-H ${quoted(`${name}: ${value}`)}`);
  }
  if (!isForm) parts.push(`-d ${quoted(body)}`);
  else {
    for (const [name, value] of new URLSearchParams(body)) {
      parts.push(`--data-urlencode ${quoted(`${name}=${value}`)}`);
    }
  }
  return parts.join(" \\\n  ");
}

function quoted(text: string): string {
  return /^[-\w.,:/=]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;
}

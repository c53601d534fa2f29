/**
 * Replies and pushes as JSON text, put together by hand: payloads are spliced in as they are, and zero values are left
 * out save those that centrifugo-protocol.md §1.3 lists. Members stand in the order of the schema's fields (§2).
 */
import { jsonOfPayload } from "../../core/payload.ts";
import type { Payload, Tags } from "../../core/types.ts";
import {
  type ConnectResult,
  type Result,
  type SubscribeResult,
  UncarriablePayload,
  type WireClientInfo,
  type WireError,
  type WirePublication,
  type WirePush,
} from "./protocol.ts";

/** §1.4: a reply echoes `id` and holds the result field named like its request, or `error`. */
export function encodeJsonReply(id: number, result: Result): string {
  const name = Object.keys(result)[0];
  return `{"id":${id},"${name}":${encodeJsonResult(result)}}`;
}

/** §7. */
export function encodeJsonPush(push: WirePush): string {
  if ("pub" in push) {
    return `{"push":{${channelMember(push.channel)}"pub":${publication(push.pub)}}}`;
  }
  return `{"push":{${"channel" in push ? channelMember(push.channel) : ""}${pushMember(push)}}}`;
}

function channelMember(channel: string): string {
  return channel === "" ? "" : `"channel":${JSON.stringify(channel)},`;
}

function pushMember(push: Exclude<WirePush, { readonly pub: WirePublication }>): string {
  if ("join" in push) return `"join":{"info":${clientInfo(push.join.info)}}`;
  if ("leave" in push) return `"leave":{"info":${clientInfo(push.leave.info)}}`;
  if ("message" in push) return `"message":{"data":${payloadText(push.message.data)}}`;
  if ("refresh" in push) return `"refresh":${expiry(push.refresh)}`;
  if ("subscribe" in push) {
    const { recoverable, epoch, offset, positioned, data } = push.subscribe;
    return `"subscribe":${object(
      flag("recoverable", recoverable) +
        text("epoch", epoch) +
        number("offset", offset) +
        flag("positioned", positioned) +
        payload("data", data),
    )}`;
  }
  const [name, { code, reason, reconnect }] =
    "unsubscribe" in push
      ? ["unsubscribe", { ...push.unsubscribe, reconnect: false }]
      : ["disconnect", push.disconnect];
  return `"${name}":${object(number("code", code) + text("reason", reason) + flag("reconnect", reconnect))}`;
}

/** One result alone, without its name: the server API answers some in the same form (§17). */
export function encodeJsonResult(result: Result): string {
  // §1.3: a result without fields is the empty object, and these three always write theirs: presence, presence_stats, history.
  if ("error" in result) return error(result.error);
  if ("connect" in result) return connectResult(result.connect);
  if ("subscribe" in result) return subscribeResult(result.subscribe);
  if ("unsubscribe" in result || "publish" in result) return "{}";
  if ("presence" in result) return `{"presence":${mapOf(result.presence.presence, clientInfo)}}`;
  if ("presence_stats" in result) {
    const { num_clients, num_users } = result.presence_stats;
    return `{"num_clients":${num_clients},"num_users":${num_users}}`;
  }
  if ("history" in result) {
    const { publications, epoch, offset } = result.history;
    return `{"publications":[${publications.map(publication).join(",")}],"epoch":${JSON.stringify(epoch)},"offset":${offset}}`;
  }
  if ("rpc" in result) return object(payload("data", result.rpc.data));
  if ("refresh" in result) {
    const { client, version } = result.refresh;
    return object(text("client", client) + text("version", version) + expires(result.refresh));
  }
  return expiry(result.sub_refresh);
}

function error({ code, message, temporary }: WireError): string {
  return object(number("code", code) + text("message", message) + flag("temporary", temporary));
}

function connectResult(result: ConnectResult): string {
  const { subs } = result;
  return object(
    text("client", result.client) +
      text("version", result.version) +
      expires(result) +
      payload("data", result.data) +
      (subs && subs.size > 0 ? `,"subs":${mapOf(subs, subscribeResult)}` : "") +
      number("ping", result.ping) +
      flag("pong", result.pong) +
      text("session", result.session) +
      text("node", result.node) +
      number("time", result.time),
  );
}

function subscribeResult(result: SubscribeResult): string {
  const { publications } = result;
  return object(
    expires(result) +
      flag("recoverable", result.recoverable) +
      text("epoch", result.epoch) +
      (publications && publications.length > 0
        ? `,"publications":[${publications.map(publication).join(",")}]`
        : "") +
      flag("recovered", result.recovered) +
      number("offset", result.offset) +
      flag("positioned", result.positioned) +
      payload("data", result.data) +
      flag("was_recovering", result.was_recovering),
  );
}

/** Empty data, which a binary namespace takes, is left out like any zero value. */
function publication(wire: WirePublication): string {
  const { data, info, tags } = wire;
  const rest =
    (info ? `,"info":${clientInfo(info)}` : "") +
    number("offset", wire.offset) +
    (tags ? tagsMember(tags) : "") +
    number("time", wire.time) +
    text("epoch", wire.epoch) +
    number("version", wire.version);
  const empty = "bytes" in data && data.bytes.length === 0;
  return empty ? object(rest) : `{"data":${payloadText(data)}${rest}}`;
}

function tagsMember(tags: Tags): string {
  const json = JSON.stringify(tags);
  return json === "{}" ? "" : `,"tags":${json}`;
}

/** §1.3: `user` and `client` are always written. */
function clientInfo({ user, client, conn_info, chan_info }: WireClientInfo): string {
  return `{"user":${JSON.stringify(user)},"client":${JSON.stringify(client)}${payload("conn_info", conn_info)}${payload("chan_info", chan_info)}}`;
}

interface Expiry {
  readonly expires?: boolean | undefined;
  readonly ttl?: number | undefined;
}

function expires({ expires, ttl }: Expiry): string {
  return flag("expires", expires) + number("ttl", ttl);
}

function expiry(result: Expiry): string {
  return object(expires(result));
}

// Each member writes the comma before it, so that those left out leave none.

function object(members: string): string {
  return `{${members.slice(1)}}`;
}

function text(name: string, value: string | undefined): string {
  return value ? `,"${name}":${JSON.stringify(value)}` : "";
}

function number(name: string, value: number | undefined): string {
  return value ? `,"${name}":${value}` : "";
}

function flag(name: string, value: boolean | undefined): string {
  return value ? `,"${name}":true` : "";
}

function payload(name: string, value: Payload | undefined): string {
  return value ? `,"${name}":${payloadText(value)}` : "";
}

/** §1.3: a payload that is not JSON cannot be delivered to a JSON client. */
function payloadText(value: Payload): string {
  const json = jsonOfPayload(value);
  if (json === undefined) throw new UncarriablePayload("The payload is not JSON");
  return json;
}

function mapOf<Value>(map: ReadonlyMap<string, Value>, encode: (value: Value) => string): string {
  const members: string[] = [];
  for (const [key, value] of map) members.push(`${JSON.stringify(key)}:${encode(value)}`);
  return `{${members.join(",")}}`;
}

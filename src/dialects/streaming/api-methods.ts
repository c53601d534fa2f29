/** What each method of the server API does (centrifugo-protocol.md §17). Each answers its result as JSON text. */
import type { z } from "zod";
import { HubError } from "../../core/errors.ts";
import { globExpression } from "../../core/glob.ts";
import type { Hub } from "../../core/hub.ts";
import { jsonOf, jsonOfBytes } from "../../core/json-text.ts";
import { listText } from "../../core/list-text.ts";
import { isOpenedBy } from "../../core/namespaces.ts";
import type { PortablePayload } from "../../core/payload.ts";
import { Slices } from "../../core/slices.ts";
import type { Payload, Target } from "../../core/types.ts";
import { known, positionText, publish, type ApiContext } from "./api-publish.ts";
import { API_METHODS, type ApiMethod, type ApiRequest } from "./api-schema.ts";
import { epochMsOf, overrideFrom } from "./authority.ts";
import { serverChannelOptions } from "./channel-rules.ts";
import { wireInfo, wirePublication } from "./encoders.ts";
import { CLOSES, isRefusal, StreamingError, wireErrorOf, type Refusal } from "./errors.ts";
import { encodeJsonResult } from "./json-encode.ts";
import type { WireClientInfo } from "./protocol.ts";
import type { StreamingContext } from "./context.ts";
import type { Signal } from "./signals.ts";

type Run<Method extends ApiMethod> = (
  context: ApiContext,
  request: ApiRequest<Method>,
) => Promise<string>;

const EMPTY = "{}";

const RUN: { readonly [Method in ApiMethod]: Run<Method> } = {
  publish: (context, request) => publish(context, request.channel, request).then(positionText),

  async broadcast(context, request) {
    const responses = await new Slices(context.runtime).map(request.channels, async (name) => {
      try {
        return `{"result":${positionText(await publish(context, name, request))}}`;
      } catch (error) {
        if (!isRefusal(error)) throw error;
        return `{"error":${JSON.stringify(apiErrorOf(error, context))}}`;
      }
    });
    return `{"responses":[${responses.join(",")}]}`;
  },

  /** What no session could do is refused here: sessions answer nobody. */
  async subscribe(context, request) {
    const { hub, runtime } = context;
    const { name } = known(context, request.channel);
    const options = serverChannelOptions(hub.namespaces, name);
    // Not even by a key with every scope: what ends the dialect's own grants would not end this.
    if (!isOpenedBy(options, undefined)) {
      throw new StreamingError(
        "permission_denied",
        `The authority of "${options.openedBy}" alone opens it`,
      );
    }
    const { recover_since: recoverSince, expire_at: expireAt, override } = request;
    if (expireAt && expireAt * 1000 <= runtime.clock.epochMs()) {
      throw new HubError("bad_request", '"expire_at" is in the past');
    }
    await signal(hub, request, {
      do: "subscribe",
      channel: name,
      info: portable(request.info, request.b64info),
      data: portable(request.data, request.b64data),
      expiresAtMs: epochMs(expireAt),
      recoverSince,
      override: override ? overrideFrom(override) : undefined,
    });
    return EMPTY;
  },

  async unsubscribe(context, request) {
    const { channel = "" } = request;
    if (channel !== "") known(context, channel);
    await signal(context.hub, request, { do: "unsubscribe", channel });
    return EMPTY;
  },

  async disconnect({ hub, reach }, request) {
    const { disconnect: wire, whitelist } = request;
    const target = targetOf(request);
    if (target === undefined) return EMPTY;
    await hub.disconnect(
      { ...target, reach },
      { disconnect: "ended", ...(wire === undefined ? {} : { wire: withReason(wire) }) },
      whitelist === undefined ? {} : { exceptConnections: whitelist },
    );
    return EMPTY;
  },

  async refresh({ hub }, request) {
    await signal(hub, request, {
      do: "refresh",
      expired: request.expired ?? false,
      expiresAtMs: epochMs(request.expire_at),
      info: portable(request.info, undefined),
    });
    return EMPTY;
  },

  async presence(context, { channel }) {
    const clients = await context.hub.presence(known(context, channel));
    const entries = clients.map((info): [string, WireClientInfo] => [
      info.connectionId,
      wireInfo(info),
    ]);
    return encodeJsonResult({ presence: { presence: new Map(entries) } });
  },

  async presence_stats(context, { channel }) {
    const { clients, users } = await context.hub.presenceStats(known(context, channel));
    return encodeJsonResult({ presence_stats: { num_clients: clients, num_users: users } });
  },

  async history(context, { channel, limit = 0, since, reverse = false }) {
    const named = known(context, channel);
    if (reverse && since?.offset === 0) {
      throw new HubError("bad_request", '"since": nothing lies before offset 0');
    }
    const page = await context.hub.history(named, {
      limit: limit < 0 ? Number.MAX_SAFE_INTEGER : limit,
      reverse,
      ...(since === undefined ? {} : { since }),
    });
    const publications = page.publications
      .map((publication) => wirePublication(publication, { withTime: true }))
      .map((publication) => ({ ...publication, data: asJson(publication.data) }));
    return encodeJsonResult({ history: { publications, ...page.position } });
  },

  async history_remove(context, { channel }) {
    await context.hub.removeHistory(known(context, channel));
    return EMPTY;
  },

  async channels({ hub, reach, runtime }, { pattern = "" }) {
    const options = pattern === "" ? {} : { pattern: globExpression(pattern) };
    const found = await hub.channels({ ...options, reach });
    const textOf = ([name, count]: readonly [string, number]) =>
      `${JSON.stringify(name)}:{"num_clients":${count}}`;
    return `{"channels":{${await listText(found, textOf, new Slices(runtime))}}}`;
  },

  async info({ hub, serverVersion }) {
    const nodes = (await hub.nodes()).map((node) => ({
      uid: node.id,
      name: node.id,
      version: serverVersion,
      num_clients: node.connections,
      num_users: node.users,
      num_channels: node.channels,
      num_subs: node.subscriptions,
      uptime: Math.floor(node.uptimeMs / 1000),
    }));
    return JSON.stringify({ nodes });
  },

  async rpc() {
    // Upstream's server-side RPC is an extension point of its Go library; nothing can register one here.
    throw new StreamingError("method_not_found", "The RPC method is not known");
  },
};

export function isApiMethod(name: string): name is ApiMethod {
  return Object.hasOwn(API_METHODS, name);
}

/** The result as JSON text. Rejects with a Refusal, or throws it; `bad_request` when the members are not of their types. */
export function runApiMethod<Method extends ApiMethod>(
  context: ApiContext,
  method: Method,
  members: Readonly<Record<string, unknown>>,
): Promise<string> {
  const parsed = API_METHODS[method].request.safeParse(members);
  if (!parsed.success) {
    throw new HubError("bad_request", problemOf(parsed.error.issues[0]));
  }
  return RUN[method](context, parsed.data as ApiRequest<Method>);
}

/** Names the member; repeats nothing of its value. */
function problemOf(issue: z.core.$ZodIssue | undefined): string {
  const { path = [], message = "" } = issue ?? {};
  const name = `"${path.join(".")}"`;
  if (message.endsWith("received undefined")) return `${name} is missing`;
  if (issue?.code === "too_small" && issue.minimum === 1) return `${name} is empty`;
  const why = message.replace(/^Invalid input(?:: )?/, "");
  return why === "" ? `${name} is not valid` : `${name} is not valid: ${why}`;
}

/** The API's error object: the client protocol's codes with two texts of its own (§17). */
export function apiErrorOf(
  error: Refusal,
  context: StreamingContext,
): { readonly code: number; readonly message: string } {
  if (error.code === "method_not_found") return { code: 104, message: "not found" };
  const { code, message } = wireErrorOf(error, context);
  return { code, message };
}

/** §3.5: with an empty reason centrifuge-js would reconnect whatever the code. */
function withReason({ code, reason }: { readonly code: number; readonly reason: string }) {
  return { code, reason: reason === "" ? CLOSES.ended.reason : reason };
}

interface UserTarget {
  readonly user?: string | undefined;
  readonly client?: string | undefined;
  readonly session?: string | undefined;
}

/** A session names a connection over an emulated transport; undefined: there is none such. */
function targetOf({ user, client, session }: UserTarget): Target | undefined {
  if (session !== undefined && session !== "") return undefined;
  if (client === undefined || client === "") return { user: user ?? "" };
  return user === undefined || user === "" ? { connection: client } : { connection: client, user };
}

async function signal(hub: Hub, request: UserTarget, body: Signal): Promise<void> {
  const target = targetOf(request);
  if (target !== undefined) await hub.signal(target, "streaming", body);
}

function portable(
  data: Payload | undefined,
  base64: string | undefined,
): PortablePayload | undefined {
  if (base64 !== undefined && base64 !== "") return { base64 };
  return data !== undefined && "json" in data ? data : undefined;
}

function epochMs(seconds: number | undefined): number | undefined {
  return seconds === undefined || seconds === 0 ? undefined : epochMsOf(seconds);
}

/** Bytes that are not JSON are shown as a base64 string: the answer is JSON. None at all are left out. */
function asJson(payload: Payload): Payload {
  if ("json" in payload || payload.bytes.length === 0) return payload;
  return { json: jsonOfBytes(payload.bytes) ?? jsonOf(payload.bytes.toBase64()) };
}

/**
 * The messages of the Centrifugo client protocol v2, as both encodings give and take them
 * (centrifugo-protocol.md §2; wire names kept). `bytes` fields are payloads: compact JSON text, or bytes in Protobuf.
 */
import type { HubError } from "../../core/errors.ts";
import type { Frame, Payload, Tags } from "../../core/types.ts";

export interface Command {
  /** 0: absent. */
  readonly id: number;
  /** The first request field present, in the order of §1.4; absent on a pong. */
  readonly request?: Request;
}

export type Request =
  | { readonly method: "connect"; readonly params: ConnectRequest }
  | { readonly method: "ping" }
  | { readonly method: "subscribe"; readonly params: SubscribeRequest }
  | { readonly method: "unsubscribe"; readonly params: { readonly channel: string } }
  | { readonly method: "publish"; readonly params: PublishRequest }
  | { readonly method: "presence"; readonly params: { readonly channel: string } }
  | { readonly method: "presence_stats"; readonly params: { readonly channel: string } }
  | { readonly method: "history"; readonly params: HistoryRequest }
  | {
      readonly method: "rpc";
      readonly params: { readonly method: string; readonly data?: ReceivedPayload | undefined };
    }
  | { readonly method: "send"; readonly params: { readonly data?: ReceivedPayload | undefined } }
  | { readonly method: "refresh"; readonly params: { readonly token: string } }
  | {
      readonly method: "sub_refresh";
      readonly params: { readonly channel: string; readonly token: string };
    };

/** §1.4: the first of these fields that a command has is its request. */
export const METHODS = [
  "connect",
  "ping",
  "subscribe",
  "unsubscribe",
  "publish",
  "presence",
  "presence_stats",
  "history",
  "rpc",
  "send",
  "refresh",
  "sub_refresh",
] as const satisfies readonly Request["method"][];

export function mapMethods<Value>(
  map: (method: Request["method"]) => Value,
): Record<Request["method"], Value> {
  const entries = METHODS.map((method) => [method, map(method)]);
  return Object.fromEntries(entries) as Record<Request["method"], Value>;
}

/** An error: what was sent is not a payload, which is for whoever uses it to tell. */
export type ReceivedPayload = Payload | HubError;

export interface ConnectRequest {
  readonly token: string;
  readonly data?: ReceivedPayload | undefined;
  readonly subs: ReadonlyMap<string, SubscribeRequest>;
  readonly name: string;
  readonly version: string;
}

export interface SubscribeRequest {
  readonly channel: string;
  readonly token: string;
  readonly recover: boolean;
  readonly epoch: string;
  readonly offset: number;
  readonly data?: ReceivedPayload | undefined;
  readonly positioned: boolean;
  readonly recoverable: boolean;
  readonly join_leave: boolean;
  readonly delta: string;
  /** Whether a tags filter (`tf`) was sent. */
  readonly filtered: boolean;
  readonly flag: number;
  readonly type: number;
}

export interface PublishRequest {
  readonly channel: string;
  readonly data?: ReceivedPayload | undefined;
  readonly type: number;
}

export interface HistoryRequest {
  readonly channel: string;
  readonly limit: number;
  readonly since?: { readonly offset: number; readonly epoch: string };
  readonly reverse: boolean;
}

export interface WireClientInfo {
  readonly user: string;
  readonly client: string;
  readonly conn_info?: Payload;
  readonly chan_info?: Payload;
}

export interface WirePublication {
  readonly data: Payload;
  readonly info?: WireClientInfo;
  /** 0 or absent: none. */
  readonly offset?: number;
  readonly tags?: Tags;
  /** Milliseconds; sent by history only. */
  readonly time?: number;
  readonly epoch?: string;
  readonly version?: number;
}

export interface SubscribeResult {
  readonly expires?: boolean | undefined;
  readonly ttl?: number | undefined;
  readonly recoverable?: boolean | undefined;
  readonly epoch?: string | undefined;
  readonly publications?: readonly WirePublication[] | undefined;
  readonly recovered?: boolean | undefined;
  readonly offset?: number | undefined;
  readonly positioned?: boolean | undefined;
  readonly data?: Payload | undefined;
  readonly was_recovering?: boolean | undefined;
}

export interface ConnectResult {
  readonly client: string;
  readonly version: string;
  readonly expires?: boolean | undefined;
  readonly ttl?: number | undefined;
  readonly data?: Payload | undefined;
  readonly subs?: ReadonlyMap<string, SubscribeResult> | undefined;
  readonly ping?: number | undefined;
  readonly pong?: boolean | undefined;
  readonly session?: string | undefined;
  readonly node?: string | undefined;
  readonly time?: number | undefined;
}

export interface RefreshResult {
  readonly client: string;
  readonly version: string;
  readonly expires?: boolean;
  readonly ttl?: number;
}

export interface HistoryResult {
  readonly publications: readonly WirePublication[];
  readonly epoch: string;
  readonly offset: number;
}

/** Exactly one result, named like its request. */
export type Result =
  | { readonly connect: ConnectResult }
  | { readonly subscribe: SubscribeResult }
  | { readonly unsubscribe: Record<never, never> }
  | { readonly publish: Record<never, never> }
  | { readonly presence: { readonly presence: ReadonlyMap<string, WireClientInfo> } }
  | { readonly presence_stats: { readonly num_clients: number; readonly num_users: number } }
  | { readonly history: HistoryResult }
  | { readonly rpc: { readonly data?: Payload } }
  | { readonly refresh: RefreshResult }
  | { readonly sub_refresh: { readonly expires?: boolean; readonly ttl?: number } }
  | { readonly error: WireError };

export interface WireError {
  readonly code: number;
  readonly message: string;
  readonly temporary?: boolean;
}

/** What the server sends unasked; `channel` is `""` or absent where the push has none. */
export type WirePush =
  | { readonly channel: string; readonly pub: WirePublication }
  | { readonly channel: string; readonly join: { readonly info: WireClientInfo } }
  | { readonly channel: string; readonly leave: { readonly info: WireClientInfo } }
  | {
      readonly channel: string;
      readonly unsubscribe: { readonly code: number; readonly reason: string };
    }
  | { readonly channel: string; readonly subscribe: SubscribeResult }
  | { readonly message: { readonly data: Payload } }
  | {
      readonly disconnect: {
        readonly code: number;
        readonly reason: string;
        readonly reconnect?: boolean;
      };
    }
  | { readonly refresh: { readonly expires?: boolean; readonly ttl?: number } };

/** A payload that the encoding cannot carry: bytes that are not JSON, for a JSON client (close 3506). */
export class UncarriablePayload extends Error {}

/** A frame that is not well formed: the connection is closed with 3501. */
export class MalformedFrame extends Error {}

/** One of the two encodings (§1.1). Stateless. */
export interface Codec {
  readonly name: "json" | "protobuf";
  /** The commands of one frame, in order, lazily decoded one by one: those before a malformed one are still given. Throws MalformedFrame. */
  decode(frame: Frame): Iterable<Command>;
  /** Throws UncarriablePayload, as do the next two. */
  encodeReply(id: number, result: Result): Frame;
  encodePush(push: WirePush): Frame;
  /** Frames as one frame; each is one or more messages. */
  join(frames: readonly Frame[]): Frame;
  readonly ping: Frame;
}

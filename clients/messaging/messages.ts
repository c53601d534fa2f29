/** What a client and Carillon's messaging say to each other (`docs/messaging-messages.md`): types alone, in the protocol's own names. */

export type Availability = "invisible" | "available" | "dnd" | "busy";
export type Attributes = Readonly<Record<string, unknown>>;

/** A subscriber as a channel sees it. */
export interface ChannelSubscriber {
  readonly id: string;
  readonly status: string;
  readonly availability: Availability;
  readonly administrator: boolean;
  readonly attributes: Attributes;
}

/** A channel as this subscriber stands to it. What is optional is there for its members, `invite-token` for administrators. */
export interface ChannelMembership {
  readonly "channel-id": string;
  readonly name: string;
  readonly administrator: boolean;
  readonly attributes?: Attributes;
  readonly subscribers?: number;
  readonly "last-sequence"?: number;
  readonly "read-sequence"?: number;
  readonly "invite-token"?: string;
}

interface Content {
  readonly content: string;
  readonly "content-type": string;
  readonly attributes: Attributes;
}

interface Message extends Content {
  readonly "message-id": string;
  /** `""`: a server's. */
  readonly from: string;
  /** From 1 without gaps within the conversation; 0: it is not part of one. */
  readonly sequence: number;
  readonly timestamp: string;
  /** It comes from storage. */
  readonly backlog?: boolean;
}

export interface DirectMessage extends Message {
  readonly type: "direct-message";
  readonly to: string;
}

export interface ChannelMessage extends Message {
  readonly type: "channel-message";
  readonly "channel-id": string;
}

export interface HistoryMessage extends Message {
  /** Of one's own direct messages. */
  readonly status?: DeliveryStatus;
}

export type DeliveryStatus = "stored" | "received" | "displayed" | "read";

export interface Delivery {
  readonly type: "delivery";
  readonly "message-id": string;
  readonly status: DeliveryStatus;
  readonly by?: string;
  readonly timestamp: string;
}

/** The answer to a message that was sent. */
export interface Stored extends Delivery {
  readonly sequence: number;
}

export interface Invitation {
  readonly type: "invitation";
  readonly "channel-id": string;
  readonly name: string;
  readonly from: string;
  readonly administrator: boolean;
  readonly attributes: Attributes;
  readonly "invite-token"?: string;
  readonly note?: string;
  readonly timestamp?: string;
}

export interface Membership {
  readonly type: "membership";
  readonly change: "joined" | "left" | "removed" | "updated" | "deleted";
  readonly channel: ChannelMembership;
  readonly by?: string;
  readonly reason?: string;
}

export interface AvailabilityReport {
  readonly type: "availability";
  /** Absent: of contacts, whatever channels are shared with them. */
  readonly "channel-id"?: string;
  readonly subscribers: readonly ChannelSubscriber[];
}

export interface History {
  readonly type: "history";
  readonly "channel-id"?: string;
  readonly with?: string;
  readonly messages: readonly HistoryMessage[];
  readonly more: boolean;
}

export interface Identity {
  readonly subscriber: ChannelSubscriber;
  readonly domain: string;
  readonly "connection-id": string;
  readonly "token-expires"?: string;
  readonly timestamp: string;
  readonly limits: Readonly<Record<string, number>>;
}

/** What comes unasked, by its `type`. */
export interface Pushes {
  readonly "direct-message": DirectMessage;
  readonly "channel-message": ChannelMessage;
  readonly delivery: Delivery;
  readonly invitation: Invitation;
  readonly "invitation-declined": Of<"channel-id" | "subscriber"> & { readonly reason?: string };
  readonly "invitation-cancelled": Of<"channel-id">;
  readonly membership: Membership;
  readonly "subscriber-joined": Of<"channel-id"> & { readonly subscriber: ChannelSubscriber };
  readonly "subscriber-left": Of<"channel-id" | "id" | "cause"> & { readonly by?: string };
  readonly "subscriber-updated": Of<"channel-id"> & { readonly subscriber: ChannelSubscriber };
  readonly availability: AvailabilityReport;
  readonly typing: Of<"from"> & {
    readonly "channel-id"?: string;
    readonly to?: string;
    readonly active: boolean;
  };
  readonly "message-updated": Of<"message-id" | "timestamp"> & Content;
  readonly "message-deleted": Of<"message-id" | "by">;
  readonly "read-position": Of<"channel-id"> & { readonly sequence: number };
}

type Of<Names extends string> = Readonly<Record<Names, string>>;
type Call<Fields, Answer = void> = { readonly fields: Fields; readonly answer: Answer };
type None = Readonly<Record<never, never>>;
type InChannel = Of<"channel-id">;
export type Where =
  | { readonly "channel-id": string; readonly with?: undefined }
  | { readonly with: string; readonly "channel-id"?: undefined };
interface NewContent {
  readonly content: string;
  readonly "content-type"?: string;
  readonly attributes?: Attributes;
}
/** The client makes one of its own, so that a message which is repeated over a broken connection is sent once. */
type NewMessage = NewContent & { readonly "dedupe-key"?: string };
type Page = { readonly after?: string; readonly limit?: number };
type Access = "invite" | "open";

/** What may be asked, by its `type`: the members that it takes, and what its promise resolves with. */
export interface Requests {
  readonly announce: Call<{
    readonly availability?: Availability;
    readonly status?: string;
    readonly attributes?: Attributes;
  }>;
  readonly unannounce: Call<None>;
  readonly "create-channel": Call<
    {
      readonly name?: string;
      readonly "invite-token"?: string;
      readonly attributes?: Attributes;
      readonly access?: Access;
    },
    Invitation
  >;
  readonly "join-channel": Call<
    { readonly "channel-id"?: string; readonly "invite-token"?: string },
    Membership
  >;
  readonly "leave-channel": Call<InChannel, Membership>;
  readonly "list-channels": Call<None, Listed<"channels", ChannelMembership>>;
  readonly "list-subscribers": Call<InChannel & Page, Listed<"subscribers", ChannelSubscriber>>;
  readonly "update-channel": Call<
    InChannel & {
      readonly name?: string;
      readonly attributes?: Attributes;
      readonly "invite-token"?: string;
      readonly access?: Access;
    },
    Membership
  >;
  readonly "delete-channel": Call<InChannel, Membership>;
  readonly "discover-channels": Call<Page, Listed<"channels", ChannelMembership>>;
  readonly invite: Call<
    InChannel & { readonly subscribers: readonly string[]; readonly note?: string }
  >;
  readonly "decline-invitation": Call<InChannel & { readonly reason?: string }>;
  readonly "cancel-invitation": Call<Of<"channel-id" | "subscriber">>;
  readonly "list-invitations": Call<
    None,
    { readonly invitations: readonly Omit<Invitation, "type" | "administrator" | "attributes">[] }
  >;
  readonly "remove-subscriber": Call<
    Of<"channel-id" | "subscriber"> & { readonly reason?: string; readonly ban?: boolean }
  >;
  readonly "set-administrator": Call<
    Of<"channel-id" | "subscriber"> & { readonly administrator: boolean }
  >;
  readonly "direct-message": Call<NewMessage & Of<"to">, Stored>;
  readonly "channel-message": Call<NewMessage & InChannel, Stored>;
  readonly receipt: Call<{
    readonly "message-ids": readonly string[];
    readonly status: "displayed" | "read";
  }>;
  readonly typing: Call<(Of<"to"> | InChannel) & { readonly active?: boolean }>;
  readonly history: Call<
    Where & { readonly before?: number; readonly after?: number; readonly limit?: number },
    History
  >;
  readonly "edit-message": Call<NewContent & Of<"message-id">>;
  readonly "delete-message": Call<Of<"message-id">>;
  readonly "list-conversations": Call<
    { readonly limit?: number; readonly before?: string },
    Listed<"conversations", Conversation>
  >;
  readonly "get-availability": Call<Subscribers, AvailabilityReport>;
  readonly "watch-availability": Call<Subscribers, AvailabilityReport>;
  readonly "unwatch-availability": Call<Subscribers>;
  readonly "block-subscriber": Call<Of<"subscriber">>;
  readonly "unblock-subscriber": Call<Of<"subscriber">>;
  readonly "list-blocked": Call<None, { readonly subscribers: readonly string[] }>;
  readonly ping: Call<None, { readonly timestamp: string }>;
  readonly whoami: Call<None, Identity>;
}

type Subscribers = { readonly subscribers: readonly string[] };
type Listed<Name extends string, Item> = Readonly<Record<Name, readonly Item[]>> & {
  readonly more: boolean;
};

export interface Conversation {
  readonly with: string;
  readonly "last-sequence": number;
  readonly unread: number;
  readonly timestamp: string;
}

/** Channel names (event-streaming.md §7), and which of them a set of scopes opens (§8). */
import type { Catalogue, CatalogueEntry } from "./catalogue.ts";
import { EventsError } from "./errors.ts";
import { withoutScope } from "./access-token.ts";

export const CHANNEL_BYTES_MAX = 255;
/** In a namespace with `multi_user`. */
export const CHANNEL_USERS_MAX = 10;

/** Who wants to listen. */
export interface Listener {
  readonly organisationId: string;
  readonly userId: string;
  readonly hasScope: (anyOf: readonly string[]) => boolean;
  /** As the caller's. */
  readonly credential: () => string;
}

/** A name that keeps to the grammar; whether anybody may join it is another question. */
interface ParsedChannel {
  readonly namespace: string;
  /** Undefined: the rest is free text, as in a public namespace. */
  readonly organisationId: string | undefined;
  readonly entity: string;
  /** Empty: not limited to users. */
  readonly users: readonly string[];
}

/** ASCII without control characters, space, `*`, `&` and `/`. */
const CHARACTERS = /^[\x21-\x7e]+$/;
const RESERVED = /[*&/]/;
const NAMESPACE = /^[-A-Za-z0-9_]{2,64}$/;
const ORGANISATION_REST =
  /^(org_[0-9A-Za-z]{1,64})((?:\.[-A-Za-z0-9_]{1,64})*)(?:#(usr_[0-9A-Za-z]{1,64}(?:,usr_[0-9A-Za-z]{1,64})*))?$/;

/** One part of an entity's name. */
export const SEGMENT = /^[-A-Za-z0-9_]{1,64}$/;

/** Throws `invalid_channel`, `channel_forbidden`, `insufficient_scope`: the decision of §5.2 up to the state of the organisation. */
export function requireChannel(name: string, listener: Listener, catalogue: Catalogue): void {
  const channel = parseChannel(name, catalogue);
  const entry = catalogue.get(channel.namespace);
  if (entry?.visibility === "public") return;
  const why = entry === undefined ? UNKNOWN : forbidding(channel, entry, listener);
  if (entry === undefined || why !== undefined) {
    // One answer for another organisation, another user and an unknown namespace: nothing can be probed.
    throw new EventsError("channel_forbidden", "This channel is not for the caller.", {
      details: { channel: name },
      detail: `The channel "${name}" is not for the caller: ${why}; ${listener.credential()}`,
    });
  }
  if (listener.hasScope(entry.scopes)) return;
  throw new EventsError("insufficient_scope", "The access token does not permit this channel.", {
    details: { channel: name, required_any: entry.scopes },
    headers: {
      "WWW-Authenticate": `Bearer error="insufficient_scope", scope="${entry.scopes[0] ?? ""}"`,
    },
    detail: withoutScope(listener, entry.scopes, `the channel "${name}"`),
  });
}

const UNKNOWN = "its namespace is not in the catalogue";

/** Undefined: nothing does. */
function forbidding(
  { organisationId, users, entity }: ParsedChannel,
  { organisationChannel }: CatalogueEntry,
  listener: Listener,
): string | undefined {
  if (organisationId !== listener.organisationId) {
    return "it is another organisation's than the credential's";
  }
  if (users.length > 0) {
    return users.includes(listener.userId)
      ? undefined
      : 'it is another user\'s than the claim "sub"';
  }
  return entity !== "" || organisationChannel
    ? undefined
    : "its namespace has no channel of the organisation as a whole";
}

/** The channels that a connection token opens by itself, in the order of their names (§8). `namespaces` narrows them. */
export function automaticChannels(
  { organisationId, userId, hasScope }: Listener,
  catalogue: Catalogue,
  namespaces?: readonly string[],
): readonly string[] {
  return [...catalogue.values()]
    .filter(({ name }) => namespaces === undefined || namespaces.includes(name))
    .filter(({ visibility, autoSubscribe }) => visibility === "private" && autoSubscribe)
    .filter(({ scopes }) => hasScope(scopes))
    .flatMap(({ name, organisationChannel, userChannel }) => [
      ...(organisationChannel ? [`${name}:${organisationId}`] : []),
      ...(userChannel ? [`${name}:${organisationId}#${userId}`] : []),
    ])
    .toSorted();
}

/** Whether a token's channel can still be joined: its namespace may have gone since. */
export function isKnownChannel(name: string, catalogue: Catalogue): boolean {
  return catalogue.has(namespaceOf(name));
}

/** Behind a leading `$`, up to the first `:`. */
function namespaceOf(name: string): string {
  return name.slice(isPrefixed(name) ? 1 : 0).split(":", 1)[0] ?? "";
}

function isPrefixed(name: string): boolean {
  return name.startsWith("$");
}

function parseChannel(name: string, catalogue: Catalogue): ParsedChannel {
  if (name.length > CHANNEL_BYTES_MAX)
    throw invalid(name, `longer than ${CHANNEL_BYTES_MAX} bytes`);
  if (!CHARACTERS.test(name) || RESERVED.test(name)) throw invalid(name, "a character");
  const namespace = namespaceOf(name);
  const entry = catalogue.get(namespace);
  if (isPrefixed(name) && entry?.privatePrefix !== true) throw invalid(name, "the prefix $");
  const rest = name.slice(namespace.length + (isPrefixed(name) ? 2 : 1));
  if (!NAMESPACE.test(namespace) || rest === "") throw invalid(name, "no namespace");
  const [matched, organisationId, entity = "", users] = ORGANISATION_REST.exec(rest) ?? [];
  const free = { namespace, organisationId: undefined, entity: "", users: [] };
  if (entry?.visibility !== "private" && !rest.includes("#")) return free;
  if (matched === undefined || entry?.visibility === "public") throw invalid(name, "its form");
  const listed = users?.split(",") ?? [];
  const usersMax = entry?.multiUser === true ? CHANNEL_USERS_MAX : 1;
  const ascending = listed.every((user, index) => index === 0 || (listed[index - 1] ?? "") < user);
  if (listed.length > usersMax || !ascending) throw invalid(name, "its users");
  return { namespace, organisationId, entity, users: listed };
}

function invalid(channel: string, reason: string): EventsError {
  // Echoed only as far as a channel may be long.
  const details = { channel: channel.slice(0, CHANNEL_BYTES_MAX), reason };
  return new EventsError("invalid_channel", "The channel's name is not valid.", { details });
}

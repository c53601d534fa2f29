/** Roles, the form of ids, and the labels that make connections targets by them. */

export const ROLES = ["sendrecv", "sendonly", "recvonly"] as const;
export type Role = (typeof ROLES)[number];

/** Bytes of a channel's, client's and bundle's id (§2.2). */
export const ID_BYTES_MAX = 255;

/** Under which a connection is a target, besides channel and user (DESIGN.md §3). */
export const channelRoleLabel = (channelId: string, role: Role) =>
  `role:${encodeURIComponent(channelId)}:${role}`;
export const clientLabel = (channelId: string, clientId: string) =>
  `client:${encodeURIComponent(channelId)}:${clientId}`;

export function labelsOf(member: {
  readonly channelId: string;
  readonly clientId: string;
  readonly role: Role;
}): readonly string[] {
  const { channelId, clientId, role } = member;
  return [`role:${role}`, channelRoleLabel(channelId, role), clientLabel(channelId, clientId)];
}

/** Whether it can name a channel or client: no connection has a longer name, or one that is not Unicode. */
export function isId(text: string): boolean {
  return text !== "" && text.isWellFormed() && Buffer.byteLength(text) <= ID_BYTES_MAX;
}

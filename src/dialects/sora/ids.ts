/** Roles, what may be an id, and the labels that make connections targets by them. */

export const ROLES = ["sendrecv", "sendonly", "recvonly"] as const;
export type Role = (typeof ROLES)[number];

/** Bytes of a channel's, client's and bundle's id (§2.2). */
export const ID_BYTES_MAX = 255;

/** Under which a connection is a target, besides channel and user (DESIGN.md §3). */
export const roleLabel = (role: Role) => `role:${role}`;
export const channelRoleLabel = (channelId: string, role: Role) =>
  `role:${encodeURIComponent(channelId)}:${role}`;
export const clientLabel = (channelId: string, clientId: string) =>
  `client:${encodeURIComponent(channelId)}:${clientId}`;

/** Whether it can name a channel or client: what is longer, or no Unicode, no connection has. */
export function isId(text: string): boolean {
  return text !== "" && text.isWellFormed() && Buffer.byteLength(text) <= ID_BYTES_MAX;
}

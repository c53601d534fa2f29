/** Which messages an endpoint wants (webhooks.md §5.1). */

export interface Filter {
  /** Null: all. */
  readonly eventTypes: readonly string[] | null;
  /** Null: all. */
  readonly channels: readonly string[] | null;
}

/** A message without channels never matches an endpoint that has some. */
export function matches(
  { eventTypes, channels }: Filter,
  message: { readonly eventType: string; readonly channels: readonly string[] },
): boolean {
  if (channels !== null && !channels.some((channel) => message.channels.includes(channel))) {
    return false;
  }
  return eventTypes === null || listsType(eventTypes, message.eventType);
}

/** `shipment.*` is everything below `shipment`, and not `shipment` itself. */
export function listsType(eventTypes: readonly string[], eventType: string): boolean {
  return eventTypes.some((name) =>
    name.endsWith(".*") ? eventType.startsWith(name.slice(0, -1)) : name === eventType,
  );
}

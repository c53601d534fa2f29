/**
 * A simple model of channels and who is in them (messaging.md §7.2, §7.3, §9): one operation after the other, each on the whole state. What
 * the chat answers to operations that run at once is right when some order of them gives it the same answers and the same state.
 */

export interface ModelChannel {
  readonly token: string;
  readonly open: boolean;
  /** In the order in which they joined. */
  readonly members: readonly { readonly id: string; readonly administrator: boolean }[];
  readonly bans: readonly string[];
  /** By the invited: the inviter. */
  readonly invitations: Readonly<Record<string, string>>;
}

export type ModelState = Readonly<Record<string, ModelChannel>>;

export interface ModelLimits {
  readonly channels: number;
  readonly members: number;
}

/** `channel`: its id, also one that is gone. */
export type Operation =
  | {
      readonly type: "create";
      readonly by: string;
      readonly token?: string;
      readonly open: boolean;
    }
  | {
      readonly type: "join";
      readonly by: string;
      readonly channel?: string;
      readonly token?: string;
    }
  | On<"leave">
  | On<"delete">
  | On<"decline">
  | On<"send">
  | (On<"update"> & { readonly token?: string; readonly open?: boolean })
  | (On<"role"> & { readonly subscriber: string; readonly administrator: boolean })
  | (On<"remove"> & { readonly subscriber: string; readonly ban: boolean })
  | (On<"invite"> & { readonly subscribers: readonly string[] })
  | (On<"cancel"> & { readonly subscriber: string });

interface On<Type extends string> {
  readonly type: Type;
  readonly by: string;
  readonly channel: string;
}

/** What came of one: an error's code, or `done` with what the answer says. `made`: the id and token of a channel that was made. */
export interface Outcome {
  readonly answer: string;
  readonly made?: { readonly channel: string; readonly token: string };
}

type Step = readonly [answer: string, state: ModelState];

export interface Done {
  readonly operation: Operation;
  readonly outcome: Outcome;
}

/**
 * The order of operations that explains what came of them, as the state that it leads to; undefined: there is none. `agrees`: whether an
 * operation's outcome may stand for the model's answer.
 */
export function explain(
  state: ModelState,
  done: readonly Done[],
  limits: ModelLimits,
  isFinal: (state: ModelState) => boolean,
  agrees: (done: Done, answer: string) => boolean = ({ outcome }, answer) =>
    answer === outcome.answer,
): ModelState | undefined {
  if (done.length === 0) return isFinal(state) ? state : undefined;
  for (const [index, one] of done.entries()) {
    const [answer, next] = step(state, one.operation, one.outcome, limits);
    if (!agrees(one, answer)) continue;
    const found = explain(next, done.toSpliced(index, 1), limits, isFinal, agrees);
    if (found !== undefined) return found;
  }
  return undefined;
}

function step(
  state: ModelState,
  operation: Operation,
  { made }: Outcome,
  limits: ModelLimits,
): Step {
  const { by, type } = operation;
  const isFull = channelsOf(state, by) >= limits.channels;
  if (type === "create") {
    const { token, open } = operation;
    if (isFull) return ["limit-reached", state];
    if (token !== undefined && withToken(state, token) !== undefined)
      return ["token-in-use", state];
    if (made === undefined) return ["done", state];
    const members = [{ id: by, administrator: true }];
    const channel = { token: made.token, open, members, bans: [], invitations: {} };
    return ["done 1", { ...state, [made.channel]: channel }];
  }
  const id =
    type === "join"
      ? (operation.channel ?? withToken(state, operation.token) ?? "")
      : operation.channel;
  const channel = state[id];
  if (channel === undefined) return ["not-found", state];
  const [answer, next] =
    type === "join"
      ? join(channel, operation, { isFull, members: limits.members })
      : type === "decline"
        ? decline(channel, by)
        : channel.members.some((each) => each.id === by)
          ? asMember(channel, operation, state)
          : (["not-found", channel] as const);
  if (next !== undefined) return [answer, { ...state, [id]: next }];
  return [answer, Object.fromEntries(Object.entries(state).filter(([each]) => each !== id))];
}

/** The channel as it becomes; undefined: it is gone. */
type ChannelStep = readonly [answer: string, channel: ModelChannel | undefined];
type Of<Type extends Operation["type"]> = Extract<Operation, { readonly type: Type }>;

function join(
  channel: ModelChannel,
  { by, token }: Of<"join">,
  limits: { readonly isFull: boolean; readonly members: number },
): ChannelStep {
  const { members, bans, invitations } = channel;
  if (members.some((each) => each.id === by)) return [`done ${members.length} false`, channel];
  const admitted = invitations[by] !== undefined || token === channel.token || channel.open;
  if (!admitted || bans.includes(by)) return ["not-found", channel];
  if (members.length >= limits.members || limits.isFull) return ["limit-reached", channel];
  const joined = [...members, { id: by, administrator: false }];
  const next = { ...channel, members: joined, invitations: without(invitations, by) };
  return [`done ${joined.length} true`, next];
}

function decline(channel: ModelChannel, by: string): ChannelStep {
  const { invitations } = channel;
  const from = invitations[by];
  if (from === undefined) return ["not-found", channel];
  return [`done ${from}`, { ...channel, invitations: without(invitations, by) }];
}

function asMember(
  channel: ModelChannel,
  operation: Exclude<Operation, Of<"create"> | Of<"join">>,
  state: ModelState,
): ChannelStep {
  const { by } = operation;
  const { members, invitations } = channel;
  const administrator = members.some((each) => each.id === by && each.administrator);
  if (operation.type === "send") return ["done", channel];
  if (operation.type === "leave") return leave(channel, by);
  if (operation.type === "cancel") {
    const from = invitations[operation.subscriber];
    if (!administrator && from !== by) return ["not-administrator", channel];
    if (from === undefined) return ["not-found", channel];
    return ["done", { ...channel, invitations: without(invitations, operation.subscriber) }];
  }
  if (operation.type === "decline") return decline(channel, by);
  return administrator
    ? asAdministrator(channel, operation, state)
    : ["not-administrator", channel];
}

function leave(channel: ModelChannel, by: string): ChannelStep {
  const rest = channel.members.filter((each) => each.id !== by);
  const [first, ...others] = rest;
  if (first === undefined) return ["done 0 nobody", undefined];
  if (rest.some(({ administrator }) => administrator)) {
    return [`done ${rest.length} nobody`, { ...channel, members: rest }];
  }
  const members = [{ ...first, administrator: true }, ...others];
  return [`done ${rest.length} ${first.id}`, { ...channel, members }];
}

function asAdministrator(
  channel: ModelChannel,
  operation: Of<"delete" | "update" | "role" | "remove" | "invite">,
  state: ModelState,
): ChannelStep {
  const { members, bans, invitations } = channel;
  const isMember = (subscriber: string) => members.some(({ id }) => id === subscriber);
  switch (operation.type) {
    case "delete":
      return ["done", undefined];
    case "update": {
      const { token = channel.token, open = channel.open } = operation;
      const holder = withToken(state, token);
      if (holder !== undefined && state[holder] !== channel) return ["token-in-use", channel];
      return ["done", { ...channel, token, open }];
    }
    case "role": {
      const { subscriber, administrator } = operation;
      const other = members.find((each) => each.id === subscriber);
      if (other === undefined) return ["not-found", channel];
      if (other.administrator === administrator) return ["done false", channel];
      const changed = members.map((each) => (each === other ? { ...each, administrator } : each));
      if (!changed.some((each) => each.administrator)) return ["last-administrator", channel];
      return ["done true", { ...channel, members: changed }];
    }
    case "remove": {
      const { by, subscriber, ban } = operation;
      if (subscriber === by) return ["invalid-field", channel];
      if (!isMember(subscriber)) return ["not-found", channel];
      const rest = members.filter((each) => each.id !== subscriber);
      const banned = ban ? [...bans, subscriber].toSorted() : bans;
      return [`done ${rest.length}`, { ...channel, members: rest, bans: banned }];
    }
    case "invite": {
      const wanted = operation.subscribers.filter((each) => !isMember(each));
      const invited = Object.fromEntries(wanted.map((each) => [each, operation.by]));
      const next = {
        ...channel,
        invitations: { ...invitations, ...invited },
        bans: bans.filter((each) => !wanted.includes(each)),
      };
      return [`done ${wanted.toSorted().join()}`, next];
    }
  }
}

function channelsOf(state: ModelState, subscriber: string): number {
  const isIn = ({ members }: ModelChannel) => members.some(({ id }) => id === subscriber);
  return Object.values(state).filter(isIn).length;
}

export function withToken(state: ModelState, token: string | undefined): string | undefined {
  return Object.keys(state).find((id) => state[id]?.token === token);
}

function without(invitations: ModelChannel["invitations"], subscriber: string) {
  return Object.fromEntries(Object.entries(invitations).filter(([each]) => each !== subscriber));
}

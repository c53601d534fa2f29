/** Operations on channels for random tests, and the state that they come to, as `chat-model.ts` has both. */
import { expect } from "bun:test";
import type { Records } from "../../src/core/engine.ts";
import type { ModelState, Operation } from "./chat-model.ts";
import type { Random } from "./random.ts";

const TOKENS = ["a", "b", "c"];

export interface Drawing {
  readonly random: Random;
  readonly subscribers: readonly string[];
  /** Channels that operations are about, also some that are gone. */
  readonly known: readonly string[];
  readonly model: ModelState;
}

/** Mostly what may be done: most refusals meet nothing. */
export function drawOperation({ random, subscribers, known, model }: Drawing): Operation {
  const anybody = random.pick(subscribers);
  const subscriber = random.pick(subscribers);
  if (known.length === 0 || random.chance(0.08)) {
    const token = random.chance(0.5) ? { token: random.pick(TOKENS) } : {};
    return { type: "create", by: anybody, open: random.chance(0.2), ...token };
  }
  const channel = random.pick(known);
  const members = model[channel]?.members ?? [];
  const among = (ids: readonly string[]) =>
    ids.length === 0 || random.chance(0.2) ? anybody : random.pick(ids);
  const member = among(members.map(({ id }) => id));
  const by = among(members.flatMap(({ id, administrator }) => (administrator ? [id] : [])));
  switch (random.integer(16)) {
    case 0:
    case 1:
      return { type: "leave", by: member, channel };
    case 2:
      return random.chance(0.3) ? { type: "delete", by, channel } : { type: "send", by, channel };
    case 3:
      return { type: "decline", by: anybody, channel };
    case 4:
      return { type: "send", by: member, channel };
    case 5:
      return {
        ...{ type: "update", by, channel },
        ...(random.chance(0.5) ? { token: random.pick(TOKENS) } : {}),
        ...(random.chance(0.5) ? { open: random.chance(0.5) } : {}),
      };
    case 6:
    case 7:
      return { type: "role", by, channel, subscriber, administrator: random.chance(0.6) };
    case 8:
      return { type: "remove", by, channel, subscriber: member, ban: random.chance(0.4) };
    case 9:
    case 10: {
      const invited = [...new Set([subscriber, random.pick(subscribers)])];
      return { type: "invite", by, channel, subscribers: invited };
    }
    case 11:
      return { type: "cancel", by, channel, subscriber };
    case 12:
      return { type: "join", by: anybody, token: random.pick(TOKENS) };
    default: {
      const token = model[channel]?.token;
      return {
        ...{ type: "join", by: anybody, channel },
        ...(token === undefined || random.chance(0.3) ? {} : { token }),
      };
    }
  }
}

/** Of the records themselves, which have to agree with each other. */
export async function stateOf(
  records: Records,
  subscribers: readonly string[],
): Promise<ModelState> {
  const list = async (prefix: string) => {
    const found = await records.list(`messaging/chat/${prefix}`, { limit: 1000 });
    return found.map(({ key, value }) => ({ path: key.split("/").slice(3), value }));
  };
  const [channels, members, bans, invitations, invited, own, tokens, open] = await Promise.all(
    [
      "channel/",
      "member/",
      "ban/",
      "invitation/",
      "invited/",
      "channels-of/",
      "invite-token/",
      "open/",
    ].map(list),
  );
  const of = (all: typeof members = [], id = "") =>
    all
      .filter(({ path }) => path[0] === id)
      .map(({ path, value }) => ({ who: path[1] ?? "", value }));
  const state: Record<string, ModelState[string]> = {};
  for (const { path, value } of channels ?? []) {
    const [id = ""] = path;
    const channel = JSON.parse(value) as {
      readonly inviteToken: string;
      readonly access: string;
      readonly members: number;
      readonly administrators: number;
      readonly bans: number;
    };
    const inside = of(members, id)
      .map(({ who, value: member }) => ({
        id: who,
        ...(JSON.parse(member) as { readonly administrator: boolean; readonly order: number }),
      }))
      .sort((a, b) => a.order - b.order)
      .map(({ id: who, administrator }) => ({ id: who, administrator }));
    const waiting = (invitations ?? []).filter(({ path: [, channelId] }) => channelId === id);
    state[id] = {
      token: channel.inviteToken,
      open: channel.access === "open",
      members: inside,
      bans: of(bans, id).map(({ who }) => who),
      invitations: Object.fromEntries(
        waiting.map(({ path: [who = ""], value: each }) => [
          who,
          (JSON.parse(each) as { readonly from: string }).from,
        ]),
      ),
    };
    expect(channel.members).toBe(inside.length);
    expect(channel.administrators).toBe(inside.filter((each) => each.administrator).length);
    expect(channel.bans).toBe(of(bans, id).length);
    expect(of(invited, id).map(({ who }) => who)).toEqual(Object.keys(state[id].invitations));
    expect((open ?? []).some(({ path: [each] }) => each === id)).toBe(state[id].open);
  }
  const ids = Object.keys(state).sort();
  expect((tokens ?? []).map(({ value }) => value).sort()).toEqual(ids);
  expect(new Set((members ?? []).map(({ path }) => path[0]))).toEqual(new Set(ids));
  for (const subscriber of subscribers) {
    const found = (own ?? []).find(({ path }) => path[0] === subscriber)?.value ?? "[]";
    const isIn = ids.filter((id) => state[id]?.members.some((each) => each.id === subscriber));
    expect((JSON.parse(found) as string[]).sort()).toEqual(isIn);
  }
  return state;
}

/**
 * Operations that run at once on two nodes, against a simple model (`chat-model.ts`): some order of them gives the same answers and the
 * same state. So that no interleaving breaks a rule of membership, roles, bans, tokens or limits.
 */
import { expect, test } from "bun:test";
import type { Chat } from "../../../src/dialects/messaging/chat/contract.ts";
import { messageChannel } from "../../../src/dialects/messaging/chat/contract.ts";
import {
  explain,
  type ModelState,
  type Operation,
  type Outcome,
} from "../../support/chat-model.ts";
import { chatNodes, text, type ChatNodes } from "../../support/chat.ts";
import { Refusal } from "../../../src/dialects/messaging/errors.ts";
import { createRandom, type Random } from "../../support/random.ts";

const ROUNDS = process.env["CARILLON_SOAK"] === undefined ? 500 : 20_000;
/** More make more orders to try. */
const AT_ONCE_MAX = 4;
const SUBSCRIBERS = ["101", "102", "103", "104", "105", "106"];
const TOKENS = ["a", "b", "c"];
const LIMITS = { channels: 3, members: 5 };
/** Older ones are left alone, so that most operations meet. */
const CHANNELS_KNOWN_MAX = 3;

test(
  "what runs at once gives what some order of it gives",
  async () => {
    const random = createRandom("Chat operations on two nodes");
    await using server = await chatNodes({
      nodes: 2,
      settings: { channel_limit: LIMITS.channels, member_limit: LIMITS.members },
    });
    let model: ModelState = {};
    const known: string[] = [];
    const sent = new Map<string, number>();
    for (let round = 0; round < ROUNDS; round++) {
      const operations = Array.from({ length: 1 + random.integer(AT_ONCE_MAX) }, () =>
        draw(random, known, model),
      );
      const done = await Promise.all(
        operations.map(async (operation) => {
          const { chat } = random.pick(server.nodes);
          return { operation, outcome: await run(chat, operation) };
        }),
      );
      const state = await stateOf(server);
      const next = explain(model, done, LIMITS, (each) => Bun.deepEquals(each, state, true));
      if (next === undefined) {
        throw new Error(
          `No order explains round ${round} of SEED=${random.seed}: ${JSON.stringify({ model, done, state })}`,
        );
      }
      model = next;
      for (const { operation, outcome } of done) {
        if (outcome.made !== undefined) known.push(outcome.made.channel);
        if (operation.type === "send" && outcome.answer === "done") {
          sent.set(operation.channel, (sent.get(operation.channel) ?? 0) + 1);
        }
      }
      known.splice(0, known.length - CHANNELS_KNOWN_MAX);
    }
    await expectMessages(server, model, sent);
    expect(server.errors).toEqual([]);
  },
  ROUNDS * 100,
);

/** Each message has a number of its own, and none is missing. */
async function expectMessages(
  { hub }: ChatNodes,
  model: ModelState,
  sent: ReadonlyMap<string, number>,
): Promise<void> {
  for (const channelId of Object.keys(model)) {
    const { position, publications } = await hub.history(messageChannel(channelId), {
      limit: 10_000,
    });
    const numbers = publications.map((each) => each.position?.offset);
    expect(position.offset).toBe(sent.get(channelId) ?? 0);
    expect(numbers).toEqual(numbers.map((_, index) => index + 1));
  }
}

/** Mostly what may be done: most refusals meet nothing. */
function draw(random: Random, known: readonly string[], model: ModelState): Operation {
  const anybody = random.pick(SUBSCRIBERS);
  const subscriber = random.pick(SUBSCRIBERS);
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
      const subscribers = [...new Set([subscriber, random.pick(SUBSCRIBERS)])];
      return { type: "invite", by, channel, subscribers };
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

async function run(chat: Chat, operation: Operation): Promise<Outcome> {
  try {
    return await carryOut(chat, operation);
  } catch (error) {
    if (error instanceof Refusal) return { answer: error.error };
    throw error;
  }
}

async function carryOut(
  { channels, members, invitations, messages }: Chat,
  operation: Operation,
): Promise<Outcome> {
  const { by } = operation;
  switch (operation.type) {
    case "create": {
      const { token: inviteToken, open } = operation;
      const access = open ? "open" : "invite";
      const { channelId, subscribers, ...made } = await channels.create(by, {
        inviteToken,
        access,
      });
      return {
        answer: `done ${subscribers}`,
        made: { channel: channelId, token: made.inviteToken },
      };
    }
    case "join": {
      const { channel: channelId, token: inviteToken } = operation;
      const { membership, changed } = await channels.join(by, { channelId, inviteToken });
      return { answer: `done ${membership.subscribers} ${changed}` };
    }
    case "leave": {
      const { channel, successor } = await channels.leave(by, operation.channel);
      return { answer: `done ${channel.subscribers} ${successor?.subscriber ?? "nobody"}` };
    }
    case "delete":
      await channels.delete(by, operation.channel);
      return { answer: "done" };
    case "decline":
      return { answer: `done ${(await invitations.decline(by, operation.channel)).from}` };
    case "send":
      await messages.sendToChannel(by, operation.channel, text("x"));
      return { answer: "done" };
    case "update": {
      const { channel, token: inviteToken, open } = operation;
      const access =
        open === undefined ? {} : { access: open ? ("open" as const) : ("invite" as const) };
      await channels.update(by, channel, { inviteToken, ...access });
      return { answer: "done" };
    }
    case "role": {
      const { channel, subscriber, administrator } = operation;
      const change = { subscriber, administrator };
      return { answer: `done ${(await members.setAdministrator(by, channel, change)).changed}` };
    }
    case "remove": {
      const { channel, subscriber, ban } = operation;
      return {
        answer: `done ${(await members.remove(by, channel, { subscriber, ban })).subscribers}`,
      };
    }
    case "invite": {
      const { channel, subscribers } = operation;
      const invited = await invitations.invite(by, channel, { subscribers });
      return {
        answer: `done ${invited
          .map((each) => each.subscriber)
          .toSorted()
          .join()}`,
      };
    }
    case "cancel":
      await invitations.cancel(by, operation.channel, operation.subscriber);
      return { answer: "done" };
  }
}

/** Of the records themselves, which have to agree with each other. */
async function stateOf({ records }: ChatNodes): Promise<ModelState> {
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
  for (const subscriber of SUBSCRIBERS) {
    const found = (own ?? []).find(({ path }) => path[0] === subscriber)?.value ?? "[]";
    const isIn = ids.filter((id) => state[id]?.members.some((each) => each.id === subscriber));
    expect((JSON.parse(found) as string[]).sort()).toEqual(isIn);
  }
  return state;
}

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
import { drawOperation, stateOf } from "../../support/chat-operations.ts";
import { chatNodes, text, type ChatNodes } from "../../support/chat.ts";
import { Refusal } from "../../../src/dialects/messaging/errors.ts";
import { createRandom } from "../../support/random.ts";

const ROUNDS = process.env["CARILLON_SOAK"] === undefined ? 500 : 20_000;
/** More make more orders to try. */
const AT_ONCE_MAX = 4;
const SUBSCRIBERS = ["101", "102", "103", "104", "105", "106"];
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
        drawOperation({ random, subscribers: SUBSCRIBERS, known, model }),
      );
      const done = await Promise.all(
        operations.map(async (operation) => {
          const { chat } = random.pick(server.nodes);
          return { operation, outcome: await run(chat, operation) };
        }),
      );
      const state = await stateOf(server.records, SUBSCRIBERS);
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

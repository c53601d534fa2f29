/** Puts the chat of one app together. */
import { createBacklog } from "./backlog.ts";
import { createBlocks } from "./blocks.ts";
import { createChannels } from "./channels.ts";
import { createContext, type ChatParts } from "./context.ts";
import { messageChannel, type Chat } from "./contract.ts";
import { createConversations } from "./conversations.ts";
import { createDirectRecords } from "./direct-records.ts";
import { createEnding } from "./ending.ts";
import { createHistory } from "./history.ts";
import { CHANNEL_PREFIX, DIRECT_SPACE } from "./ids.ts";
import { createInvitations } from "./invitations.ts";
import { createJoining } from "./joining.ts";
import { createLeaving } from "./leaving.ts";
import { createMembers } from "./members.ts";
import { createMessages } from "./messages.ts";
import { createPushes } from "./pushes.ts";
import { createReceipts } from "./receipts.ts";
import { reviseOwn, reviseShown } from "./revising.ts";

export type { ChatParts };

export function createChat(parts: ChatParts): Chat {
  const context = createContext(parts);
  const ending = createEnding(context);
  const { leave, leaveAll, remove } = createLeaving(context, ending);
  const channels = {
    ...createJoining(context),
    ...createChannels(context, ending),
    leave,
    leaveAll,
  };
  const { pending, ...invitations } = createInvitations(context);
  const direct = createDirectRecords(context);
  const history = createHistory(context, direct);
  const blocks = createBlocks(context);
  const { post, ...messages } = createMessages(context, { direct, history, blocks });
  const receipts = createReceipts(context, direct, history);
  const { channelHistory, directHistory } = history;
  return {
    channels,
    members: { ...createMembers(context), remove },
    invitations,
    messages: {
      ...messages,
      ...createConversations(context, direct),
      channelHistory,
      directHistory,
    },
    receipts,
    backlog: createBacklog(context, { channels, receipts, direct, history, pending }),
    blocks,
    async start() {
      const pushes = createPushes(context.channelRecords, post);
      parts.hub.claim(CHANNEL_PREFIX, pushes, reviseShown(context.records));
      for (const space of [messageChannel("").space, DIRECT_SPACE]) {
        parts.hub.revise(space, reviseOwn(context.records, space));
      }
      await ending.finishAll();
    },
  };
}

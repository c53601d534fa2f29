/** Who and what is there now (§6.8), in the whole cluster and of this app only (O5). */
import { isReachable } from "../../../core/namespaces.ts";
import { listText } from "../../../core/list-text.ts";
import { Slices } from "../../../core/slices.ts";
import { CHANNELS } from "../../../core/types.ts";
import { json, orFail, type MasterCall, type MasterHandler } from "./call.ts";

type List = (call: MasterCall) => Promise<readonly string[]>;

/** Channels that gusher's clients may join, by whichever dialect they are subscribed. */
const channels: List = (call) =>
  read(call, async ({ hub }) => [...(await hub.channels({ reach: ["gusher"] })).keys()]);

/** Users with a connection, subscribed or not (§7: a replacement may be more exact). */
const online: List = (call) => read(call, ({ hub }) => hub.users());

const onlineByChannel: List = (call) => {
  const { channel: name = "" } = call.params;
  return read(call, async ({ hub }) =>
    isReachable(hub.namespaces, name, call.reach)
      ? hub.users({ channel: { space: CHANNELS, name } })
      : [],
  );
};

function read(
  call: MasterCall,
  list: (context: NonNullable<MasterCall["context"]>) => Promise<readonly string[]>,
): Promise<readonly string[]> {
  return orFail(call, "get redis error", list, []);
}

function listed(list: List): MasterHandler {
  return async (call) => {
    const names = await list(call);
    return json(`[${await listText(names, JSON.stringify, new Slices(call.runtime))}]`);
  };
}

function counted(list: List): MasterHandler {
  return async (call) => json(JSON.stringify({ count: (await list(call)).length }));
}

/** Below `/{app_key}`. */
export const LISTS: Readonly<Record<string, MasterHandler>> = {
  "/channels": listed(channels),
  "/channels/count": counted(channels),
  "/online": listed(online),
  "/online/count": counted(online),
  "/online/bychannel/:channel": listed(onlineByChannel),
  "/online/bychannel/:channel/count": counted(onlineByChannel),
};

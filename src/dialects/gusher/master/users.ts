/** Pushes to users and sockets, and changes of a user's grants (§6.5 to §6.7). Answers repeat `data` as text (K9). */
import { HubError } from "../../../core/errors.ts";
import { jsonView } from "../../../core/json-text.ts";
import type { Target } from "../../../core/types.ts";
import type { ApiAnswer } from "../../../transports/api-call.ts";
import { jsonOfField } from "../fields.ts";
import { fieldsOf, json, MasterError, orFail, type MasterCall } from "./call.ts";
import type { GusherSignal } from "../signals.ts";

/** Grants of one reload: each session of the user holds them, and every subscribe looks through them. */
export const RELOAD_CHANNELS_MAX = 10_000;

/** §6.5: every connection of the user in this app, subscribed or not. */
export function pushToUser(call: MasterCall): Promise<ApiAnswer> {
  const { user_id = "" } = call.params;
  return push(call, { user: user_id }, { user_id });
}

export function pushToSocket(call: MasterCall): Promise<ApiAnswer> {
  const { socket_id = "" } = call.params;
  return push(call, { connection: socket_id }, { socket_id });
}

/** Data that is missing or empty is an empty string. */
async function push(
  call: MasterCall,
  target: Target,
  about: Readonly<Record<string, string>>,
): Promise<ApiAnswer> {
  const { data } = await fieldsOf(call, "data");
  const payload = { data: { json: jsonOfField(data) } };
  await orFail(
    call,
    "data error",
    ({ hub }) => hub.push({ ...target, reach: call.reach }, payload),
    undefined,
  );
  return json(JSON.stringify({ ...about, data }));
}

/** §6.6. */
export async function reloadChannels(call: MasterCall): Promise<ApiAnswer> {
  const { data } = await fieldsOf(call, "data");
  const channels = channelsOf(data);
  const text = JSON.stringify(channels);
  return signal(call, { do: "reload", channels: channels ?? [], text }, data);
}

/** §6.7: the text is the grant, whatever it looks like. */
export async function addChannel(call: MasterCall): Promise<ApiAnswer> {
  const { data } = await fieldsOf(call, "data");
  if (data === "") throw new MasterError("data empty error");
  return signal(call, { do: "add", channel: data }, data);
}

async function signal(call: MasterCall, body: GusherSignal, data: string): Promise<ApiAnswer> {
  const { user_id = "" } = call.params;
  const target = { user: user_id };
  await orFail(call, "data error", ({ hub }) => hub.signal(target, "gusher", body), undefined);
  return json(JSON.stringify({ user_id, data }));
}

/** A list of strings, in which `null` is `""`; `null` as a whole is kept, since the notification repeats it. */
function channelsOf(data: string): readonly string[] | null {
  try {
    const list = jsonView(data);
    if (list.kind === "null") return null;
    const items = list.kind === "array" ? list.items(RELOAD_CHANNELS_MAX) : undefined;
    if (items !== undefined && items.length <= RELOAD_CHANNELS_MAX) {
      return items.map((item) => {
        if (item.kind === "string") return String(item.value);
        if (item.kind === "null") return "";
        throw new MasterError("data unmarshal error");
      });
    }
  } catch (error) {
    if (!(error instanceof HubError)) throw error;
  }
  throw new MasterError("data unmarshal error");
}

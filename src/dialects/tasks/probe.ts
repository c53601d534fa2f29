/** A client that waits for a task (task-tokens.md §4, §5) for checks of a running server. */
import { z } from "zod";
import {
  ProbeRefused,
  shortened,
  type AskedProbe,
  type Heard,
  type Probe,
  type ProbeClient,
} from "../probe.ts";
import { answerOf } from "../token-command.ts";
import type { TasksConfig } from "./config.ts";
import { callTasks, resultOf } from "./token-command.ts";

/** §5.3: the server sends a frame every two seconds, the first one once the token is known. */
const TICK_MS = 2000;
/** That the task lives on when a check is broken off. */
const MINUTES = 2;
const minted = z.object({ client_token: z.string(), task_id: z.string() });
const frame = z.object({ Error: z.string(), Message: z.string() });
const invoked = z.object({ error: z.object({ code: z.number(), message: z.string() }) });

export const probe: Probe<TasksConfig> = { prepare };

async function prepare(asked: AskedProbe<TasksConfig>): Promise<ProbeClient> {
  const { client_token: token, task_id: task } = await mint(asked);
  let heard = false;
  return {
    path: asked.config.tasks.websocket_paths[0] ?? "/tasks",
    // §5.6: of several messages the last one alone.
    recovers: false,
    hello() {
      heard = false;
      return [JSON.stringify({ ClientToken: token })];
    },
    *read(text): Iterable<Heard> {
      const { Error: error, Message: message } = frame.parse(JSON.parse(text));
      if (error !== "") yield { kind: "refused", reason: error };
      else if (!heard) {
        heard = true;
        yield { kind: "ready", silenceMs: TICK_MS };
      }
      if (message === "") return;
      yield { kind: "published", text: Buffer.from(message, "base64").toString() };
    },
    async publish(text) {
      const message = Buffer.from(text).toString("base64");
      // Without a time of its own it would be the task's last message.
      const params = { task_id: task, message, new_timeout: MINUTES };
      const call = { id: asked.mark, method: "invoke_envoy", params };
      const { status, body } = await callTasks(asked, call, asked.apiUrl);
      const refused = invoked.safeParse(answerOf(body));
      if (status === 200 && !refused.success) return;
      throw new ProbeRefused(status, refused.data?.error.message ?? shortened(body));
    },
  };
}

async function mint(asked: AskedProbe<TasksConfig>): Promise<z.output<typeof minted>> {
  const params = { reusable_minutes: MINUTES, Task: { timeout: MINUTES } };
  const call = { id: asked.mark, method: "get_envoy_token", params };
  const { status, body } = await callTasks(asked, call, asked.apiUrl);
  if (status === 401) throw new ProbeRefused(status, shortened(body), "login");
  return minted.parse(JSON.parse(resultOf(status, body)));
}

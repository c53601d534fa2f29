/** What operators see of tasks: those that sockets wait for, and one task. */
import { z } from "zod";
import { Slices } from "../../core/slices.ts";
import {
  AdminError,
  adminOperation,
  isoTime,
  ofApp,
  pageAnswer,
  pageQueryOf,
  pageRequest,
  pageViewOf,
  type AdminCall,
  type AdminPart,
} from "../admin-operation.ts";
import type { TasksContext } from "./context.ts";
import { channelOf } from "./task-record.ts";
import type { TaskStatus } from "./task-store.ts";

const taskAnswer = z
  .strictObject({
    task: z.string(),
    sockets: z.int().min(0).describe("That wait for it, on all nodes."),
    completed: z.boolean().describe("Its last message was final."),
    retained: z.boolean().describe("Its last message is kept for sockets that come later."),
    last_message_at: z.iso.datetime().optional(),
    expires_in_ms: z.number().min(0).optional().describe("Of the task's clock; 0: it has run out."),
  })
  .meta({ title: "admin_task" });

/** `contexts`: by app id. */
export function tasksAdmin(contexts: ReadonlyMap<string, TasksContext>): AdminPart {
  const of = (call: Pick<AdminCall, "app">) => ofApp(contexts, call);
  const operations = [
    adminOperation({
      method: "GET",
      path: "tasks",
      summary: `Tasks that sockets wait for, in the order of their ids; \`connections\` shows the sockets of one, in the space \`${channelOf("").space}\``,
      request: z.strictObject(pageRequest),
      answer: pageAnswer(taskAnswer),
      async run(call) {
        const { hub, tasks, runtime } = of(call);
        const { space } = channelOf("");
        const page = await hub.channelPage({ ...pageQueryOf(call.request), space });
        const rows = await new Slices(runtime).map(page.rows, async ({ name, connections }) => {
          const sockets = Object.values(connections).reduce((sum, count) => sum + count, 0);
          return taskView(name, { ...(await tasks.state(name)), connections: sockets });
        });
        return pageViewOf({ ...page, rows }, (row) => row);
      },
    }),
    adminOperation({
      method: "GET",
      path: "tasks/task",
      summary: "One task, whether or not a socket waits for it",
      request: z.strictObject({ task: z.string().describe("Its id.") }),
      answer: taskAnswer,
      async run(call) {
        const { ids, tasks } = of(call);
        const taskId = ids.genuine(call.request.task);
        if (taskId === undefined) {
          throw new AdminError("not_found", '"task" is no id that this server gave to this app');
        }
        return taskView(taskId, await tasks.status(taskId));
      },
    }),
  ];
  return { operations, examples: EXAMPLES };
}

const EXAMPLES = { task: "5f".repeat(40), sockets: 1 };

function taskView(task: string, status: TaskStatus) {
  const { connections: sockets, completed, retained, lastMessageAtMs, expiresInMs } = status;
  return {
    ...{ task, sockets, completed, retained },
    ...(lastMessageAtMs === undefined ? {} : { last_message_at: isoTime(lastMessageAtMs) }),
    ...(expiresInMs === undefined ? {} : { expires_in_ms: expiresInMs }),
  };
}

/** The server by its task-token dialect, and the bare sockets beside it. */
import { startServer, portOf } from "./harness/carillon.ts";
import { bun, ChildProcess } from "./harness/processes.ts";
import { LOOPBACK, type Target } from "./harness/targets.ts";

/** Requests of one batch (task-tokens.md §4.3). */
const BATCH = 50;
const FAR_BEYOND = 1_000_000;

export interface TasksTargetOptions {
  /** A token for each: of tasks of their own, or all of one. */
  readonly connections: number;
  readonly sameTask: boolean;
  /** As the first frame asks for it: seconds; 0: none. */
  readonly ticks: number;
}

export async function startTasks(options: TasksTargetOptions): Promise<Target> {
  const { connections, sameTask, ticks } = options;
  const tasks = {
    ...{ enabled: true, message_format: "any" },
    ...{ connection_limit: FAR_BEYOND, task_connection_limit: FAR_BEYOND },
    ...{ token_calls_burst: FAR_BEYOND, token_calls_per_second: FAR_BEYOND },
    ...{ invoke_calls_burst: FAR_BEYOND, invoke_calls_per_second: FAR_BEYOND },
    ...{ task_invokes_per_second: FAR_BEYOND, task_acceptances_per_minute: FAR_BEYOND },
  };
  const server = await startServer({ config: { tasks } });
  const headers = { "X-API-Key": server.credentials.apiKey };
  const issued: { readonly client_token: string; readonly task_id: string }[] = [];
  while (issued.length < connections) {
    const count = Math.min(BATCH, connections - issued.length);
    const calls = Array.from({ length: count }, (_, index) =>
      tokenCall(sameTask ? 0 : issued.length + index),
    );
    const body = JSON.stringify(calls);
    const answer = await fetch(`${server.api}/rpc`, { method: "POST", headers, body });
    const results = (await answer.json()) as { readonly result: (typeof issued)[number] }[];
    issued.push(...results.map(({ result }) => result));
  }
  const [first] = issued;
  return {
    name: "Carillon, tasks",
    process: server.process,
    sockets: { host: LOOPBACK, port: portOf(server.clients), path: "/tasks" },
    join: () => ({
      init: [`{"ClientToken":"%s","Ticks":${ticks}}`],
      texts: issued.map(({ client_token }) => client_token),
      replies: 1,
    }),
    publishing: {
      host: LOOPBACK,
      port: portOf(server.api),
      path: "/rpc",
      headers,
      body: (_, message) =>
        `{"method":"invoke_envoy","params":{"task_id":"${first?.task_id}","message":"${message}","new_timeout":60}}`,
    },
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  };
}

function tokenCall(context: number) {
  const Task = { task_context: context, timeout: 60, send_offline_message: true };
  return { method: "get_envoy_token", params: { reusable_minutes: 60, Task } };
}

/** `floor/ticks.ts`: no protocol, no deadlines, no store. */
export async function startBareTicks(): Promise<Target> {
  const process = new ChildProcess(bun("floor/ticks.ts"), { on: "server" });
  const { port } = await process.line<{ port: number }>();
  return {
    name: "bare Bun ticks",
    process,
    sockets: { host: LOOPBACK, port, path: "/" },
    join: () => ({ init: ["wait"], replies: 1 }),
    [Symbol.asyncDispose]: () => process[Symbol.asyncDispose](),
  };
}

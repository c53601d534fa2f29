/** Tasks that sockets wait for, and the sockets of one. */
import type { Api } from "./api.ts";
import { ConnectionList, Kick } from "./connections.tsx";
import { List } from "./list.tsx";
import { Time } from "./parts.tsx";
import { addressOf, place } from "./route.ts";
import type { TaskRow } from "./rows.ts";

export function Tasks({ api }: { api: Api }) {
  const { about: task } = place.value;
  if (task !== "") return <OneTask api={api} task={task} />;
  return (
    <List<TaskRow>
      {...{ api, path: "tasks", query: {} }}
      title="Tasks that sockets wait for"
      none="No socket waits for a task"
      keyOf={(row) => row.task}
      columns={[
        {
          title: "Task",
          of: (row) => (
            <a href={addressOf("tasks", row.task)}>
              <code class="name">{row.task}</code>
            </a>
          ),
        },
        { title: "Sockets", of: ({ sockets }) => sockets },
        { title: "Last message", of: (row) => <Time at={row.last_message_at} /> },
        { title: "State", of: stateOf },
      ]}
    />
  );
}

function stateOf({ completed, retained, expires_in_ms: leftMs }: TaskRow): string {
  const parts = [
    completed ? "completed" : "open",
    ...(retained ? ["message kept"] : []),
    ...(leftMs === undefined ? [] : [`${Math.ceil(leftMs / 1000)} s left`]),
  ];
  return parts.join(", ");
}

function OneTask({ api, task }: { api: Api; task: string }) {
  const whom = { channel: task, space: "tasks" };
  return (
    <>
      <p>
        <a href={addressOf("tasks")}>All tasks</a>
      </p>
      <h2>
        <code class="name">{task}</code>
      </h2>
      <Kick api={api} whom={whom} label="Kick all sockets that wait for it" />
      <ConnectionList api={api} query={whom} none="No socket waits for it" />
    </>
  );
}

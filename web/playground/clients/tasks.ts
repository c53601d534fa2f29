import { connectTask, type Task } from "../../../clients/tasks/task-client.ts";
import { taskCall } from "../calls.ts";
import { parse } from "../positions.ts";
import { askToken, callApi } from "../server.ts";
import { socketUrl, type OpenClient } from "../surroundings.ts";

/** A week, the most that a token is good for. */
const MINUTES = "10080";

/** A task of its own: what is pushed to the channel is nothing to it. */
export const open: OpenClient = async (pane, { settings }) => {
  const issued = await askToken("tasks", { reusable: MINUTES, timeout: "60" });
  const { client_token: token, task_id: id } = JSON.parse(issued) as Readonly<
    Record<"client_token" | "task_id", string>
  >;
  pane.connectionId.value = id;
  const opened = Promise.withResolvers<void>();
  let isOpen = false;
  // It comes back by itself, and tells nobody.
  pane.onEnd = ({ code, reason }) => {
    isOpen = false;
    pane.became("closed", `${code} ${reason}`);
  };

  function connect(): Task {
    isOpen = false;
    pane.became("connecting");
    const opening = connectTask({
      ...{ url: socketUrl(settings, "tasks"), token },
      onMessage: (message) => pane.hear(parse(message.text()) ?? message.text()),
      onTick(left) {
        if (!isOpen) pane.became("open");
        isOpen = true;
        pane.detail.value = `${left} left`;
        opened.resolve();
      },
    });
    const ended = (why: string) => {
      if (opening === task) pane.became("closed", why);
    };
    opening.completed.then(
      () => ended("the task is completed"),
      ({ message }: Error) => ended(message),
    );
    return opening;
  }

  let task: Task = connect();
  await opened.promise;

  return {
    say: (text) => callApi(taskCall(id, JSON.stringify({ from: "backend", text }))),
    reconnect() {
      const before = task;
      task = connect();
      before.close();
    },
    close: () => task.close(),
  };
};

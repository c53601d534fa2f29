/** Task tokens: a client's token for a unit of work, its results and timeouts (task-tokens.md). */
import { DEVELOPMENT_API_KEY } from "../../config/development-guard.ts";
import { defineDialect } from "../dialect.ts";
import { tasksKeyProblems, tasksProblems, tasksSection, type TasksConfig } from "./config.ts";
import { tasksToken } from "./token-command.ts";

export const tasks = defineDialect<TasksConfig>()({
  name: "tasks",
  joinsChannels: false,
  sections: {
    tasks: tasksSection
      .prefault({})
      .describe("[Task tokens](tasks.md): `get_envoy_token`, `invoke_envoy`."),
  },
  keyUses: [{ use: "tasks", plainSecret: true, problems: tasksKeyProblems }],
  reservedSegments: ["envoy", "tasks", "rpc"],
  scopes: () => [
    ...["tasks", "tasks:get_envoy_token", "tasks:invoke_envoy"],
    ...["tasks:close_envoy", "tasks:get_envoy_status"],
  ],
  problems: tasksProblems,
  // A backend's secret, as its API key is.
  developmentKeys: [{ use: "tasks", hmac_secret: DEVELOPMENT_API_KEY }],
  tokenCommands: [tasksToken],
  loadProbe: async () => (await import("./probe.ts")).probe,
  errors: async () => (await import("./shown.ts")).TASKS_SHOWN,
  setUp: async (lent) => (await import("./setup.ts")).setUp(lent),
});

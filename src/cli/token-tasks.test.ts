import { expect, test } from "bun:test";
import { bootServer } from "../../test/support/server.ts";
import { resultOf, waitForTask } from "../../test/support/tasks-rpc.ts";
import { systemRuntime } from "../system-runtime.ts";
import { carillon, write } from "./test-support.ts";

test("prints what a client needs, and the id to send to", async () => {
  await using server = await bootServer({
    // The command signs with its own clock.
    ...{ runtime: systemRuntime, config: { tasks: { require_timestamp: true } } },
  });
  const args = ["token", "tasks", "--url", server.apiUrl, "--context", "order-1"];
  const [first, again, other] = await Promise.all([
    carillon([...args, "--send-offline-message", "--timeout", "20"]),
    carillon([...args, "--reusable", "0", "--single-instance", "--persist-timeout"]),
    carillon(["token", "tasks", "--url", server.apiUrl]),
  ]);
  const printed = [first, again, other].map(({ code, out, err }) => {
    expect({ code, err }).toEqual({ code: 0, err: "" });
    return JSON.parse(out) as { client_token: string; task_id: string };
  });
  const [one, two, three] = printed;
  expect(two?.task_id).toBe(one?.task_id ?? "");
  expect(three?.task_id).not.toBe(one?.task_id ?? "");
  const client = await waitForTask(server, one?.client_token ?? "");
  const params = { task_id: one?.task_id, message: "aGVsbG8=" };
  const headers = { "x-api-key": "dev-api-key" };
  await resultOf(server, "invoke_envoy", params, { headers });
  expect(await client.closed).toBe(1000);
});

test("says in one line what is wrong", async () => {
  await using server = await bootServer({ runtime: systemRuntime });
  const url = ["--url", server.apiUrl];
  const secret = '[[signing_keys]]\nuse = "tasks"\nhmac_secret = "s"\n';
  const line = async (args: readonly string[]) => {
    const { code, out, err } = await carillon(["token", "tasks", ...args]);
    expect({ code, out }).toEqual({ code: 1, out: "" });
    return err;
  };
  expect(
    await Promise.all([
      line([...url, "--timeout", "0"]),
      line([...url, "--timeout", "soon"]),
      line([...url, "--context", ""]),
      line(["--url", "nowhere"]),
      line([...url, "--config", write("no-secret.toml", "")]),
      line([...url, "--config", write("wrong-secret.toml", secret)]),
      line(["--url", server.clientsUrl]),
    ]),
  ).toEqual([
    'carillon: The token was refused: -32602 Invalid params {"param":"Task.timeout","reason":"out_of_range","min":1,"max":10080} [server_refused]\n',
    "carillon: --timeout must be a number of minutes [command_usage]\n",
    'carillon: The token was refused: -32602 Invalid params {"param":"Task.task_context","reason":"empty"} [server_refused]\n',
    "carillon: --url must be an http or https address [command_usage]\n",
    'carillon: App "default" has no signing key with an hmac_secret for tasks\' calls: add one to [[signing_keys]] [signing_key_missing]\n',
    "carillon: The token was refused: -32001 Unauthorized [server_refused]\n",
    "carillon: The server answered 404, not as tasks does: check that it is enabled, and that --url is the api listener [server_refused]\n",
  ]);
});

/** Checklist §6 item 36: a client written to the published rules, and a backend that calls as the known ones do, work unchanged. */
import { expect, test } from "bun:test";
import { createHmac } from "node:crypto";
import { createTestRuntime } from "../../support/runtime.ts";
import { bootServer, type BootedServer } from "../../support/server.ts";
import { startPublishedRulesClient } from "./published-rules-client.ts";

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise<void>((resolve) => setImmediate(resolve));
}

function socketUrl({ clientsUrl }: BootedServer): string {
  return clientsUrl.replace(/^http/, "ws");
}

/** As the known backends post: capitals, no content type, to `/api` or the bare host. */
async function call(
  { apiUrl }: BootedServer,
  path: string,
  Method: string,
  Params: object,
): Promise<Record<string, string>> {
  const body = Buffer.from(JSON.stringify({ Jsonrpc: "2.0", Method, Id: "2", Params }));
  const sign = createHmac("sha512", "dev-api-key").update(body).digest("hex");
  const headers = { "public-id": "dev", sign };
  const response = await fetch(apiUrl + path, { method: "POST", headers, body });
  const answer = (await response.json()) as { error: unknown; result: Record<string, string> };
  expect(answer.error).toBeNull();
  return answer.result;
}

const TASK = {
  task_context: "c549-4375-9b27-142e2ff2c031",
  send_offline_message: true,
  timeout: 60,
  single_instance: false,
  persist_timeout: false,
};

async function token(server: BootedServer) {
  const { envoy_token = "", task_id = "" } = await call(server, "/api", "get_envoy_token", {
    reusable_minutes: 60,
    envoy_task: TASK,
  });
  return { clientToken: envoy_token, taskId: task_id };
}

function invoke(server: BootedServer, task_id: string, text: string, new_timeout: number) {
  const message = Buffer.from(text).toString("base64");
  return call(server, "/", "invoke_envoy", { task_id, message, new_timeout });
}

test("it waits, sees progress, and ends with the final answer", async () => {
  await using server = await bootServer();
  const { clientToken, taskId } = await token(server);
  const client = startPublishedRulesClient(socketUrl(server), clientToken, createTestRuntime());
  await until(() => client.ticks.length > 0);
  expect(client.ticks).toEqual(["60:00"]);
  expect(await invoke(server, taskId, "underpaid", 20)).toEqual({ status: "success" });
  await until(() => client.progress.length > 0);
  await invoke(server, taskId, "paid", 0);
  expect(await client.final).toBe("paid");
  expect(client.progress).toEqual(["underpaid"]);
  expect(client.opened).toBe(1);
});

test("it never finds a living link silent for five seconds", async () => {
  const runtime = createTestRuntime();
  await using server = await bootServer({ runtime });
  const { clientToken } = await token(server);
  const client = startPublishedRulesClient(socketUrl(server), clientToken, runtime);
  await until(() => client.ticks.length > 0);
  for (let second = 2; second <= 120; second += 2) {
    const before = client.ticks.length;
    await server.advance(2000);
    await until(() => client.ticks.length > before);
  }
  expect([client.opened, client.dropped]).toEqual([1, 0]);
  expect(client.ticks.at(-1)).toBeOneOf(["58:00", "58:01", "58:02"]);
  client.stop();
});

test("it drops a link that is silent for five seconds, and is given the message that it missed", async () => {
  const ownTime = createTestRuntime();
  await using server = await bootServer();
  const { clientToken, taskId } = await token(server);
  const client = startPublishedRulesClient(socketUrl(server), clientToken, ownTime);
  await until(() => client.ticks.length === 1);
  // The server's time stands still, so the client hears nothing.
  await ownTime.advance(6000);
  expect(client.dropped).toBe(1);
  await until(() => client.ticks.length === 2);
  await ownTime.advance(6000);
  expect(client.dropped).toBe(2);
  await invoke(server, taskId, "paid", 0);
  expect(await client.final).toBe("paid");
});

test("a message that came before the page is its first", async () => {
  await using server = await bootServer();
  const { clientToken, taskId } = await token(server);
  await invoke(server, taskId, "early", 30);
  const client = startPublishedRulesClient(socketUrl(server), clientToken, createTestRuntime());
  await until(() => client.progress.length > 0);
  expect([client.progress, client.ticks]).toEqual([["early"], ["60:00"]]);
  client.stop();
});

test("it is told of a timeout as an error", async () => {
  await using server = await bootServer();
  const { clientToken } = await token(server);
  const client = startPublishedRulesClient(socketUrl(server), clientToken, createTestRuntime());
  await until(() => client.ticks.length > 0);
  // Its own time stands still; pings are the runtime's to answer.
  for (let minute = 0; minute < 60 * 12 && client.ticks.at(-1) !== "00:00"; minute++) {
    const before = client.ticks.length;
    await server.advance(5000);
    await until(() => client.ticks.length > before);
  }
  expect(client.final).rejects.toThrow("timeout");
});

/** What somebody types in the first five minutes, in that order and without an option that is not needed. */
import { expect, setDefaultTimeout, test } from "bun:test";
import { spawnServer } from "../../test/support/child-server.ts";
import { until } from "../../test/support/hostile.ts";
import { carillon, withFiles, type Ran } from "./test-support.ts";

// A dozen processes, one after the other.
setDefaultTimeout(60_000);

test("token, subscribe, who, publish, doctor and bench do what they say against a server that was just started", async () => {
  await using server = await spawnServer({ command: withFiles(4096) });
  // The ports are free ones here, and 8000 and 9000 for whoever types this.
  const env = {
    CARILLON_CLIENTS_PORT: new URL(server.clientsUrl).port,
    CARILLON_API_PORT: new URL(server.apiUrl).port,
  };
  const typed = (...args: string[]): Promise<Ran> => carillon(args, env);

  const token = await typed("token", "streaming", "--user", "42");
  expect(token.code).toBe(0);
  const subscribing = ["subscribe", "public:news", "--token", token.out.trim(), "--count", "3"];
  const subscriber = typed(...subscribing);
  const subscriptions = new URL(`${server.apiUrl}/admin/api/connections?channel=public:news`);
  await until(async () => {
    const { data } = (await (await fetch(subscriptions)).json()) as { readonly data: unknown[] };
    return data.length === 1;
  });

  const who = await typed("who", "public:news");
  expect(who.out).toStartWith("public:news: 1 connected (streaming 1)\n");
  expect(who.out).toMatch(/ 42 +streaming /);

  const toChannel = await typed("publish", "public:news", '{"text":"Hello"}');
  expect(toChannel.out).toBe("1 matched (streaming 1), offset 1\n");
  const toPattern = await typed("publish", "--pattern", "^public:", '{"text":"Hello again"}');
  expect(toPattern.out).toBe("1 matched in 1 channel (streaming 1)\n");
  // What a user is sent belongs to no channel, so who follows one does not print it.
  const toUser = await typed("publish", "--user", "42", '{"text":"Hello, 42"}');
  expect(toUser.out).toBe("1 matched (streaming 1)\n");
  await typed("publish", "public:news", '{"text":"Bye"}');
  const lines = ["Hello", "Hello again", "Bye"].map((text) => JSON.stringify({ text }));
  expect(await subscriber).toEqual({
    ...{ code: 0, out: `${lines.join("\n")}\n`, err: 'Subscribed to "public:news"\n' },
  });

  const doctor = await typed("doctor", "--quick");
  expect(doctor.out).toEndWith("\nNothing is wrong.\n");
  expect(doctor.code).toBe(0);

  const small = ["--connections", "20", "--subscribers", "5", "--seconds", "1"];
  const bench = await typed("bench", ...small);
  expect(bench.out).toEndWith("\nEvery delivery arrived, once and in order.\n");
  expect(bench.code).toBe(0);

  server.kill("SIGINT");
  expect(await server.exited).toBe(0);
});

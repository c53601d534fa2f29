/** The recipe of docs/moving-from-gusher.md for installations of the original: their own paths, with nothing but their prefix changed. */
import { expect, test } from "bun:test";
import { bootGusher, GRANT_A, jwt, openGusher } from "../../support/gusher.ts";
import { callMaster, ok, subscribe } from "../../support/gusher-master.ts";

test("the recipe's five lines serve slaves below their prefix, and masters below it and /api", async () => {
  const page = await Bun.file(
    new URL("../../../docs/moving-from-gusher.md", import.meta.url),
  ).text();
  const recipe = /## Five steps\n[^]*?```toml\n([^]*?)```/.exec(page)?.[1] ?? "";
  expect(recipe.trim().split("\n")).toHaveLength(5);
  const config = Bun.TOML.parse(recipe) as Record<string, Record<string, unknown>>;
  await using server = await bootGusher({ config: { ...config, development: false } });

  const slaveUrl = `${server.clientsUrl}/gcs`;
  expect(await (await fetch(`${slaveUrl}/ping`)).text()).toBe("pong");
  const logIn = await fetch(`${slaveUrl}/auth`, {
    method: "POST",
    body: new URLSearchParams({ jwt: jwt({ gusher: GRANT_A }) }),
  });
  expect(logIn.status).toBe(200);
  using client = await openGusher({ ...server, slaveUrl }, GRANT_A);
  await subscribe(client, "AA");
  for (const masterUrl of [`${server.apiUrl}/api`, `${server.apiUrl}/gcs`]) {
    expect(await callMaster({ masterUrl }, "/push/TEST/AA/e", { data: "1" })).toEqual(
      ok('{"channel":"AA","event":"e","data":1}'),
    );
    expect(await client.next()).toEqual({ channel: "AA", event: "e", data: 1 });
  }
});

/** What somebody sees who opens one of the two addresses. */
import { expect, test } from "bun:test";
import manifest from "../../package.json" with { type: "json" };
import { bootServer } from "../support/server.ts";

test("/ on api says what runs, and takes nothing from the calls on the same path", async () => {
  await using server = await bootServer();
  const page = await fetch(server.apiUrl);
  expect(page.status).toBe(200);
  expect(page.headers.get("content-type")).toStartWith("text/plain");
  const text = await page.text();
  expect(text).toStartWith(`Carillon ${manifest.version} on the `);
  expect(text).toContain(" engine: events, gusher, messaging, sora, streaming, tasks\n");
  const call = { method: "POST", body: '{"id":1,"method":"get_envoy_token","params":{}}' };
  expect(await (await fetch(server.apiUrl, call)).json()).toMatchObject({ id: 1 });
});

test("only what is served is named", async () => {
  await using server = await bootServer({ config: { development: false } });
  expect(await (await fetch(server.apiUrl)).text()).toContain(" engine: streaming\n");
});

test("both listeners have an icon for browsers that look for one", async () => {
  await using server = await bootServer();
  for (const url of [server.apiUrl, server.clientsUrl]) {
    const icon = await fetch(`${url}/favicon.ico`);
    expect(icon.status).toBe(200);
    expect(icon.headers.get("content-type")).toBe("image/svg+xml");
    expect(await icon.text()).toStartWith("<svg ");
  }
});

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

test("/ on clients tells everybody nothing about the server", async () => {
  await using server = await bootServer({ config: { development: false } });
  const page = await fetch(server.clientsUrl);
  expect(page.status).toBe(200);
  expect(page.headers.get("content-type")).toStartWith("text/html");
  expect(page.headers.get("content-security-policy")).toContain("default-src 'none'");
  expect(page.headers.get("x-content-type-options")).toBe("nosniff");
  const text = await page.text();
  expect(text).toContain("Carillon");
  for (const told of [manifest.version, "dev", "embedded", "redis", "streaming", "ws:", "/"]) {
    expect(text.replaceAll(/<[^>]*>|\/\*/g, "")).not.toContain(told);
  }
});

test("in development mode it is the playground, whose files are beside it", async () => {
  await using server = await bootServer();
  const page = await fetch(server.clientsUrl);
  expect(page.status).toBe(200);
  const tag = page.headers.get("etag") ?? "";
  const known = await fetch(server.clientsUrl, { headers: { "If-None-Match": tag } });
  expect([known.status, await known.text()]).toEqual([304, ""]);
  const files = [...(await page.text()).matchAll(/(?:src|href)="([^"]*)"/g)].map(
    ([, file]) => file,
  );
  expect(files.length).toBeGreaterThan(1);
  for (const file of files) {
    expect(file).toMatch(/^\.\/playground\/[-\w]+\.(css|js)$/);
    const answer = await fetch(new URL(file ?? "", server.clientsUrl));
    expect(answer.status).toBe(200);
    expect(answer.headers.get("cache-control")).toContain("immutable");
    expect(answer.headers.get("content-type")).toMatch(/^text\/(css|javascript); charset=utf-8$/);
  }
  expect((await fetch(`${server.clientsUrl}/playground/other.js`)).status).toBe(404);
});

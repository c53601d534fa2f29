/** The console's page: who is served it, and how large it is. What it does is in `test/browser/console.test.ts`. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { PRODUCTION, type Headers } from "../../support/callers.ts";
import { bootServer, type BootedServer } from "../../support/server.ts";

/** Of the page with all of its files, compressed. */
const BYTES_MAX = 200_000;

let server: BootedServer;
beforeAll(async () => {
  server = await bootServer();
});
afterAll(() => server[Symbol.asyncDispose]());

const get = (path: string, headers: Headers = {}, url = server.apiUrl) =>
  fetch(url + path, { headers });

test("it is small, and its own files are all that it loads", async () => {
  const page = await get("/admin");
  expect(page.headers.get("content-security-policy")).toStartWith("default-src 'none'");
  const html = await page.text();
  const files = [...html.matchAll(/(?:src|href)="\.\/(admin\/[^"]+)"/g)].map(([, file]) => file);
  expect(files).toHaveLength(2);
  const [index, version] = [await get("/"), (await import("../../../package.json")).version];
  expect(await index.text()).toContain(version);
  expect(html).not.toContain(version);
  let bytes = html.length;
  for (const file of files) {
    const answer = await get(`/${file}`, { "Accept-Encoding": "gzip" });
    expect([file, answer.status]).toEqual([file, 200]);
    bytes += Bun.gzipSync(new Uint8Array(await answer.arrayBuffer())).length;
  }
  expect(bytes).toBeLessThan(BYTES_MAX);
});

test.each<[string, Headers, number]>([
  ["nobody's page", {}, 200],
  ["an address that was typed", { "Sec-Fetch-Site": "none" }, 200],
  ["a link on another site", { "Sec-Fetch-Site": "cross-site" }, 403],
  ["a page of another site", { Origin: "https://evil.example" }, 403],
])("%s is answered", async (_name, headers, status) => {
  expect((await get("/admin", headers)).status).toBe(status);
});

test("what is no file of it is not found, and nothing is posted to it", async () => {
  for (const path of ["/admin/", "/admin/none.js", "/admin/index.html", "/admin/__proto__"]) {
    expect([path, (await get(path)).status]).toEqual([path, 404]);
  }
  expect((await fetch(`${server.apiUrl}/admin`, { method: "POST" })).status).toBe(405);
});

test("beyond loopback the page is there without a key, and shows nothing without one", async () => {
  await using production = await bootServer({
    config: { ...PRODUCTION, tasks: { enabled: true } },
  });
  expect((await get("/admin", {}, production.apiUrl)).status).toBe(200);
  expect((await get("/admin/api/server", {}, production.apiUrl)).status).toBe(401);
});

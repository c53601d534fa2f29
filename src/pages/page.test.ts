import { expect, test } from "bun:test";
import { createPage, type PageFile } from "./page.ts";

const text = "<!doctype html>";
const FILES: readonly PageFile[] = [
  { name: "", type: "text/html; charset=utf-8", gzip: Bun.gzipSync(text) },
  { name: "index-1.js", type: "text/javascript", gzip: Bun.gzipSync("1;") },
];

function get(headers: Readonly<Record<string, string>> = {}, method = "GET") {
  return { method, url: "http://localhost/", headers: new Headers(headers) };
}

test("a page may run its own files alone, and is nobody's frame", async () => {
  const answer = await createPage(async () => FILES).answer(get(), "");
  expect(answer).toMatchObject({ status: 200, body: new TextEncoder().encode(text) });
  const policy = answer?.headers["Content-Security-Policy"] ?? "";
  expect(policy).toStartWith("default-src 'none'; script-src 'self'; style-src 'self';");
  expect(policy).toContain("frame-ancestors 'none'");
  expect(policy).not.toMatch(/unsafe|\*|https?:/);
  expect(answer?.headers["X-Content-Type-Options"]).toBe("nosniff");
});

test("a file is kept for good, the page asked for anew by its tag", async () => {
  const page = createPage(async () => FILES);
  const first = await page.answer(get(), "");
  const tag = first?.headers["ETag"] ?? "";
  expect(first?.headers["Cache-Control"]).toBe("no-cache");
  for (const known of [tag, `"other", ${tag}`]) {
    const again = await page.answer(get({ "If-None-Match": known }), "");
    expect(again).toMatchObject({ status: 304, body: "", headers: { ETag: tag } });
  }
  expect(await page.answer(get({ "If-None-Match": '"other"' }), "")).toMatchObject({ status: 200 });
  const file = await page.answer(get(), "index-1.js");
  expect(file?.headers["Cache-Control"]).toContain("immutable");
  expect(file?.headers["ETag"]).not.toBe(tag);
});

test.each([
  ["gzip, deflate, br", true],
  ["gzip;q=0.5", true],
  ["gzip;q=0", false],
  ["br", false],
  ["", false],
])("whoever accepts %p gets it compressed: %p", async (accepted, compressed) => {
  const page = createPage(async () => FILES);
  const answer = await page.answer(get({ "Accept-Encoding": accepted }), "");
  expect(answer?.headers["Content-Encoding"]).toBe(compressed ? "gzip" : undefined);
  expect(answer?.headers["Vary"]).toBe("Accept-Encoding");
  const body = new Uint8Array(Buffer.from(answer?.body ?? ""));
  expect(Buffer.from(compressed ? Bun.gunzipSync(body) : body).toString()).toBe(text);
});

test("what it has not is another's, and nothing is posted to it", async () => {
  const page = createPage(async () => FILES);
  for (const file of ["index.html", "__proto__", "../page.ts"]) {
    expect(await page.answer(get(), file)).toBeUndefined();
  }
  expect(await page.answer(get({}, "POST"), "")).toMatchObject({ status: 405 });
});

test("it is made once, and anew where that failed", async () => {
  let made = 0;
  const page = createPage(async () => {
    made += 1;
    if (made === 1) throw new Error("No library");
    return FILES;
  });
  await expect(page.answer(get(), "")).rejects.toThrow("No library");
  await Promise.all([page.answer(get(), ""), page.answer(get(), "index-1.js")]);
  expect(made).toBe(2);
});

/** Fetching a JSON document. */
import { afterAll, describe, expect, test } from "bun:test";
import { fetchJson } from "./fetch-json.ts";
import { defaults, failureOf } from "./test-asking.ts";
import { startEchoServers } from "./test-servers.ts";

const { http, close } = await startEchoServers();
afterAll(close);

describe("fetchJson()", () => {
  const askJson = (url: string) => fetchJson({ ...defaults, url });

  test("answers the parsed body and says what it accepts", async () => {
    expect(await askJson(`http://a.test:${http}/json`)).toMatchObject({
      method: "GET",
      headers: { accept: "application/json" },
    });
  });

  test("takes status 200 and JSON only, and quotes neither", async () => {
    for (const path of ["503", "redirect", "bytes/10"]) {
      const error = await failureOf(askJson(`http://a.test:${http}/${path}`));
      expect(error.reason).toBe("protocol");
      expect(error.message).not.toContain("xxx");
    }
  });
});

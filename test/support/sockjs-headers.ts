/** The headers that SockJS's public test suite asks for. */
import { expect } from "bun:test";
import { ask, NO_CACHE } from "./sockjs.ts";

export function expectCors(headers: Headers, origin?: string): void {
  expect(headers.get("access-control-allow-origin")).toBe(origin ?? "*");
  expect(headers.get("access-control-allow-credentials")).toBe(
    origin === undefined ? null : "true",
  );
  expect(headers.get("vary")).toBe("Origin");
}

export function expectNotCached(headers: Headers): void {
  expect(headers.get("cache-control")).toBe(NO_CACHE);
  expect(headers.get("expires")).toBeNull();
  expect(headers.get("last-modified")).toBeNull();
}

export function expectCached(headers: Headers): void {
  expect(headers.get("cache-control")).toBe("public, max-age=31536000");
  expect(Date.parse(headers.get("expires") ?? "")).toBeGreaterThan(0);
  expect(headers.get("last-modified")).toBeNull();
}

export async function expectOptions(url: string, methods: string): Promise<void> {
  for (const origin of ["test", "null"]) {
    const headers = { "Access-Control-Request-Method": methods, Origin: origin };
    const answer = await ask(url, "OPTIONS", { headers });
    expect([answer.status, answer.body]).toEqual([204, ""]);
    expectCached(answer.headers);
    expect(answer.headers.get("access-control-max-age")).toBe("31536000");
    expect(answer.headers.get("access-control-allow-methods")).toBe(methods);
    expectCors(answer.headers, origin);
  }
}

/** HEALTHCHECK of `Dockerfile`: its very command, against real servers. Exit codes: 0 healthy, 1 not. */
import { expect, test } from "bun:test";
import { healthCommand } from "../support/image.ts";
import { bootServer } from "../support/server.ts";

async function check(url: URL): Promise<number> {
  const child = Bun.spawn([...healthCommand()], {
    env: { PATH: process.env["PATH"], CARILLON_API_PORT: url.port },
    stdio: ["ignore", "ignore", "ignore"],
  });
  return child.exited;
}

test("a server is healthy while it runs, and not behind its end", async () => {
  let url: URL;
  {
    await using server = await bootServer();
    url = new URL(server.apiUrl);
    expect(await check(url)).toBe(0);
  }
  expect(await check(url)).toBe(1);
});

test("any answer but 200 is not healthy", async () => {
  await using server = Bun.serve({
    ...{ hostname: "127.0.0.1", port: 0 },
    fetch: () => new Response(null, { status: 503 }),
  });
  expect(await check(server.url)).toBe(1);
});

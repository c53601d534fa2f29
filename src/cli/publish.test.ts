import { createServer } from "node:http";
import { describe, expect, test } from "bun:test";
import { carillon, write } from "./test-support.ts";

/** Answers every POST alike and keeps what it was sent. */
async function answering(status: number, body: string) {
  const requests: { url: string | undefined; key: unknown; body: string }[] = [];
  const server = createServer((request, response) => {
    let text = "";
    request.on("data", (chunk: Buffer) => (text += chunk.toString()));
    request.on("end", () => {
      requests.push({ url: request.url, key: request.headers["x-api-key"], body: text });
      response.writeHead(status).end(body);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  const port = typeof address === "object" && address !== null ? address.port : 0;
  return {
    url: `http://127.0.0.1:${port}`,
    requests,
    [Symbol.asyncDispose]: () => new Promise<void>((resolve) => server.close(() => resolve())),
  };
}

describe("publish", () => {
  test("splices the data into one request, and prints the result", async () => {
    await using server = await answering(200, '{"result":{"offset":1,"epoch":"x"}}');
    const json = await carillon(["publish", "news", '{"n":9007199254740993}', "--url", server.url]);
    const text = await carillon(["publish", "news", "hello", "--url", server.url, "--key", "k"]);
    expect(json).toEqual({ code: 0, out: '{"offset":1,"epoch":"x"}\n', err: "" });
    expect(text.code).toBe(0);
    expect(server.requests).toEqual([
      {
        url: "/api/publish",
        key: "dev-api-key",
        body: '{"channel":"news","data":{"n":9007199254740993}}',
      },
      { url: "/api/publish", key: "k", body: '{"channel":"news","data":"hello"}' },
    ]);
  });

  test.each([
    [
      200,
      '{"error":{"code":102,"message":"unknown channel"}}',
      "Publishing was refused: 102 unknown channel",
    ],
    [200, "<html>", "The answer is not one of the streaming API"],
    [401, "", "The server answered 401: the API key was not accepted"],
    [502, "", "The server answered 502"],
  ])("says in one line that the server answered %i %s", async (status, body, line) => {
    await using server = await answering(status, body);
    const ran = await carillon(["publish", "news", "1", "--url", server.url]);
    expect(ran).toEqual({ code: 1, out: "", err: `carillon: ${line}\n` });
  });

  test("needs a server, an address and a key", async () => {
    const config = write("plain.toml", "");
    const [away, address, key] = await Promise.all([
      carillon(["publish", "a", "1", "--url", "http://127.0.0.1:9"]),
      carillon(["publish", "a", "1", "--url", "nowhere"]),
      carillon(["publish", "a", "1", "--config", config]),
    ]);
    expect(away.err).toStartWith("carillon: Asking http://127.0.0.1:9 failed: ");
    expect(address.err).toBe("carillon: --url must be an http or https address\n");
    expect(key.err).toBe("carillon: --key is required: an API key of the server\n");
    expect([away.code, address.code, key.code]).toEqual([1, 1, 1]);
  });
});

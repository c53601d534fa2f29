import { expect, test } from "bun:test";
import { introspect, managed } from "../../test/support/messaging-auth.ts";
import { bootServer } from "../../test/support/server.ts";
import { systemRuntime } from "../system-runtime.ts";
import { carillon, write } from "./test-support.ts";

test("prints a bearer and nothing else, and in development mode makes its subscriber", async () => {
  await using server = await bootServer({ runtime: systemRuntime });
  const args = ["token", "messaging", "--user", "12025550101", "--url", server.apiUrl];
  const [first, again] = [await carillon(args), await carillon([...args, "--expires", "0"])];
  for (const { code, out, err } of [first, again]) {
    expect({ code, out, err }).toEqual({
      code: 0,
      out: expect.stringMatching(/^XI[A-Za-z0-9]{32}\n$/),
      err: "",
    });
    expect(await introspect(server, out.trim())).toMatchObject({
      active: true,
      sub: "12025550101",
    });
  }
  const { keys } = await managed(server, "GET", "/subscribers/12025550101/keys");
  const expiring = (keys as { "expires-at": unknown }[]).map((key) => key["expires-at"] !== null);
  expect(expiring.toSorted((a, b) => Number(a) - Number(b))).toEqual([false, true]);
});

test("says in one line what is wrong", async () => {
  await using server = await bootServer({ runtime: systemRuntime });
  const production = write("messaging.toml", "[messaging]\nenabled = true\n");
  const url = ["--user", "7", "--url", server.apiUrl];
  const line = async (args: readonly string[]) => {
    const { code, out, err } = await carillon(["token", "messaging", ...args]);
    expect({ code, out }).toEqual({ code: 1, out: "" });
    return err;
  };
  expect(
    await Promise.all([
      line([...url, "--expires", "soon"]),
      line([...url, "--key", "wrong"]),
      line([...url, "--config", production]),
      line(["--user", "a/b", "--url", server.apiUrl]),
      line(["--user", "7", "--url", server.clientsUrl]),
      line(["--user", "7", "--url", "nowhere"]),
    ]),
  ).toEqual([
    'carillon: --expires must be a duration such as "15m", "1h" or "0" [command_usage]\n',
    "carillon: The token was refused: invalid_token: An API key is missing or not known: send it as X-API-Key [server_refused]\n",
    "carillon: --key is required: an API key of the server [command_usage]\n",
    "carillon: The token was refused: not_found: The domain has no such subscriber [server_refused]\n",
    "carillon: The server answered 404, not as messaging does: check that it is enabled, and that --url is the api listener [server_refused]\n",
    "carillon: --url must be an http or https address [command_usage]\n",
  ]);
});

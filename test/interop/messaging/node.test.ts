/** The unmodified `sockjs-client` in Node itself, whose HTTP is another than Bun's, by each of its transports. */
import { expect, test } from "bun:test";
import { join } from "node:path";
import { connect, SOCKJS_TRANSPORTS, tokenOf } from "../../support/messaging.ts";
import { send } from "../../support/messaging-auth.ts";
import { bootServer } from "../../support/server.ts";

const CHILD = join(import.meta.dir, "../../support/sockjs-node-child.mjs");
const COUNT = 20;

interface Printed {
  readonly transport: string;
  readonly content?: string;
}

async function* linesOf(stream: ReadableStream<Uint8Array>): AsyncGenerator<Printed> {
  const decoder = new TextDecoder();
  let rest = "";
  for await (const chunk of stream) {
    const lines = (rest + decoder.decode(chunk, { stream: true })).split("\n");
    rest = lines.pop() ?? "";
    for (const line of lines) yield JSON.parse(line) as Printed;
  }
}

test("messages go to and fro in their order, and the end of a token is told", async () => {
  await using server = await bootServer();
  using friend = await connect(server, "friend");
  const tokens = Object.fromEntries(
    SOCKJS_TRANSPORTS.map((name) => [name, tokenOf(`node-${name}`)]),
  );
  const args = [`${server.clientsUrl}/messaging`, "friend", `${COUNT}`, JSON.stringify(tokens)];
  await using node = Bun.spawn(["node", CHILD, ...args], { stdout: "pipe", stderr: "inherit" });
  const printed = linesOf(node.stdout);

  for (const transport of SOCKJS_TRANSPORTS) {
    const from = `node-${transport}`;
    for (let at = 0; at < COUNT; at++) {
      const message = await friend.nextOf("direct-message", (each) => each["from"] === from);
      expect(message).toMatchObject({ content: `${at}`, sequence: at + 1 });
    }
    for (let at = 0; at < COUNT; at++) {
      await friend.ask({ type: "direct-message", to: from, content: `${at}` });
    }
    for (let at = 0; at < COUNT; at++) {
      const { value } = await printed.next();
      expect(value).toEqual({ transport, used: transport, content: `${at}` });
    }
  }
  for (const transport of SOCKJS_TRANSPORTS) {
    await send(server, "revoke", { token: tokens[transport] ?? "" });
    const { value } = await printed.next();
    expect(value).toEqual({ transport, code: 4401, reason: "Unauthorized", wasClean: true });
  }
});

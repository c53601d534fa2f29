/**
 * The exchanges of the published document (`published/003-sora-push.txt`) byte by byte on a bare socket: each request as its client
 * wrote it, and of the answer what is printed, save for `date` and `server`, which tell of the original.
 */
import { connect } from "node:net";
import { afterAll, beforeAll, expect, test } from "bun:test";
import { bootSora, connectSora, push, type SoraClient, type SoraServer } from "../support/sora.ts";

let server: SoraServer;
let client: SoraClient;
beforeAll(async () => {
  server = await bootSora();
  client = await connectSora(server, { role: "sendrecv", client_id: "C0YTCRZM715BKATBXWFPKTYGRM" });
});
afterAll(async () => {
  client[Symbol.dispose]();
  await server[Symbol.asyncDispose]();
});

interface Printed {
  readonly target: string;
  /** As printed by its client, which shows a body formatted and sends it with a space behind colons and commas. */
  readonly body: (connectionId: string) => string;
  readonly accept: string;
  readonly agent: string;
  readonly bytes: number;
}

const HTTPIE_0 = { accept: "application/json", agent: "HTTPie/0.9.4" };
const PRINTED: readonly Printed[] = [
  {
    ...{ target: "Sora_20160711.PushChannel", ...HTTPIE_0, bytes: 47 },
    body: () => '{"data": {"spam": "egg"}, "channel_id": "sora"}',
  },
  {
    ...{ target: "Sora_20160711.PushClient", ...HTTPIE_0, bytes: 90 },
    body: () =>
      '{"data": {"spam": "egg"}, "channel_id": "sora", "client_id": "C0YTCRZM715BKATBXWFPKTYGRM"}',
  },
  {
    ...{ target: "Sora_20160711.PushConnection", ...HTTPIE_0, bytes: 94 },
    body: (id) => `{"data": {"spam": "egg"}, "channel_id": "sora", "connection_id": "${id}"}`,
  },
  {
    ...{ target: "Sora_20201120.PushChannelByRole", bytes: 67 },
    ...{ accept: "application/json, */*;q=0.5", agent: "HTTPie/2.2.0" },
    body: () => '{"data": {"spam": "egg"}, "channel_id": "sora", "role": "sendrecv"}',
  },
];

/** The whole answer, the connection kept as the request asks. */
async function exchange(
  url: string,
  request: string,
): Promise<readonly [head: string[], body: string]> {
  const { hostname, port } = new URL(url);
  const socket = connect(Number(port), hostname);
  socket.write(request);
  let text = "";
  return new Promise((resolve, reject) => {
    socket.on("error", reject);
    socket.on("data", (chunk: Buffer) => {
      text += chunk.toString("latin1");
      const end = text.indexOf("\r\n\r\n");
      const length = Number(/\ncontent-length: (\d+)/i.exec(text)?.[1] ?? Infinity);
      if (end < 0 || text.length < end + 4 + length) return;
      socket.destroy();
      resolve([text.slice(0, end).split("\r\n"), text.slice(end + 4)]);
    });
  });
}

function requestOf({ target, accept, agent, body }: Printed, host: string): string {
  const text = body(client.id);
  return [
    ...["POST / HTTP/1.1", `Accept: ${accept}`, "Accept-Encoding: gzip, deflate"],
    ...["Connection: keep-alive", `Content-Length: ${text.length}`],
    ...["Content-Type: application/json", `Host: ${host}`, `User-Agent: ${agent}`],
    ...[`x-sora-target: ${target}`, "", text],
  ].join("\r\n");
}

/** What is printed of an answer, in the order of names. */
const printedOf = (head: readonly string[]) =>
  head
    .slice(1)
    .map((line) => line.replace(/^[^:]+/, (name) => name.toLowerCase()))
    .filter((line) => /^(access-control-|content-)/.test(line))
    .toSorted();

test.each(PRINTED)("$target", async (printed) => {
  expect(printed.body(client.id)).toHaveLength(printed.bytes);
  const [head, body] = await exchange(server.apiUrl, requestOf(printed, "127.0.0.1:3000"));
  expect(head[0]).toBe("HTTP/1.1 200 OK");
  expect(printedOf(head)).toEqual(["content-length: 37", "content-type: application/json"]);
  expect(body).toBe('{"data":{"spam":"egg"},"type":"push"}');
  expect(await client.next()).toEqual(push({ spam: "egg" }));
});

test("with the origin of the last one, its four headers", async () => {
  await using open = await bootSora({ sora: { cors_origin: "http://127.0.0.1:5000" } });
  const [printed] = PRINTED.slice(-1);
  if (printed === undefined) throw new Error("Nothing is printed");
  const [head, body] = await exchange(open.apiUrl, requestOf(printed, "127.0.0.1:3000"));
  expect(printedOf(head)).toEqual([
    "access-control-allow-headers: Origin, X-Requested-With, Content-Type, Accept, x-sora-target",
    "access-control-allow-methods: POST, OPTIONS",
    "access-control-allow-origin: http://127.0.0.1:5000",
    "access-control-max-age: 1000",
    "content-length: 37",
    "content-type: application/json",
  ]);
  expect(body).toBe('{"data":{"spam":"egg"},"type":"push"}');
});

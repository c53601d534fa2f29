/** The receiver that docs/receive-a-webhook.md prints takes a real delivery, and refuses one that another secret signed. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { rmSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { systemRuntime } from "../../src/system-runtime.ts";
import { blocksOf, ROOT } from "../support/printed.ts";
import { bootServer, temporaryDir, type BootedServer } from "../support/server.ts";
import { startReceiver } from "../support/webhook-receiver.ts";

const PAGE = "docs/receive-a-webhook.md";
const ORGANISATION = "org_26ZZVNs2QURl4yY6owPARekUbMa";
const SECRET = `whsec_${Buffer.alloc(32, "a").toString("base64")}`;
const OTHER_SECRET = `whsec_${Buffer.alloc(32, "b").toString("base64")}`;

const blocks = blocksOf(PAGE, await Bun.file(join(ROOT, PAGE)).text());
const printed = (name: string) => blocks.find((block) => block.name === name)?.text ?? "";

let server: BootedServer;
beforeAll(async () => {
  server = await bootServer({ runtime: systemRuntime });
});
afterAll(() => server[Symbol.asyncDispose]());

async function call(path: string, body: object): Promise<Record<string, unknown>> {
  const response = await fetch(`${server.apiUrl}${path}`, {
    method: "POST",
    headers: { "X-API-Key": "dev-api-key", "Content-Type": "application/json" },
    body: JSON.stringify(body),
  });
  expect(response.ok).toBe(true);
  return (await response.json()) as Record<string, unknown>;
}

const makeEndpoint = (url: string, secret: string) =>
  call(`/organisations/${ORGANISATION}/webhooks/endpoints`, { url, secret });

const publish = () =>
  call("/events/publish", {
    ...{ type: "shipment.updated", organisation_id: ORGANISATION, resource: "shipments" },
    data: { id: "shp_1" },
  });

test("the receiver", async () => {
  const directory = temporaryDir();
  symlinkSync(join(ROOT, "node_modules"), join(directory, "node_modules"));
  const text = printed("js 1");
  expect(text).toContain(".listen(3001)");
  const listen = ".listen(0, function () { console.log(this.address().port); })";
  writeFileSync(join(directory, "receiver.mjs"), text.replace(".listen(3001)", listen));
  const child = Bun.spawn(["node", "receiver.mjs"], {
    ...{ cwd: directory, stdout: "pipe" },
    env: { PATH: process.env["PATH"], WEBHOOK_SECRET: SECRET },
  });
  try {
    const lines = linesOf(child.stdout);
    const url = `http://localhost:${(await lines.next()).value ?? ""}/in`;
    const { id: other } = await makeEndpoint(url, OTHER_SECRET);
    const refused = await call(
      `/organisations/${ORGANISATION}/webhooks/endpoints/${String(other)}/test`,
      {},
    );
    expect(refused).toMatchObject({ status: "failed", response_status: 400 });
    await makeEndpoint(url, SECRET);
    const { webhooks } = await publish();
    const { message_id: id } = webhooks as { message_id: string };
    expect((await lines.next()).value).toBe(`${id} shipment.updated { id: 'shp_1' }`);
  } finally {
    child.kill();
    rmSync(directory, { recursive: true });
  }
});

async function* linesOf(stream: ReadableStream<Uint8Array>): AsyncGenerator<string> {
  const decoder = new TextDecoder();
  let text = "";
  for await (const chunk of stream) {
    const lines = (text + decoder.decode(chunk, { stream: true })).split("\n");
    text = lines.pop() ?? "";
    yield* lines;
  }
}

test("a delivery has the headers and the members that the page shows", async () => {
  await using receiver = await startReceiver();
  await makeEndpoint(receiver.url.replace("127.0.0.1", "localhost"), SECRET);
  await publish();
  await receiver.reached(1);
  const [first] = receiver.received;
  const { headers = {}, body: sent } = first ?? {};
  const [head = "", body = ""] = printed("http 1").split("\n\n");
  for (const line of head.split("\n").slice(1)) {
    const [name = "", value = ""] = line.split(": ");
    const got = String(headers[name.toLowerCase()]);
    expect([name, shapeOf(got)]).toEqual([name, shapeOf(value)]);
  }
  const members = (text: string) => Object.keys(JSON.parse(text) as object);
  expect(members(String(sent))).toEqual(members(body));
});

/** Without what differs each time. */
const shapeOf = (value: string) =>
  value
    .replace(/^msg_\w{27}$/, "msg")
    .replace(/^\d{10}$/, "time")
    .replace(/^v1,\S{44}$/, "v1");

/**
 * The four calls of the published document (`published/001-event-streaming.txt`), as printed there, by a real `curl` against what
 * `npm start` runs. Only the host and the token in braces are substituted; answers are compared with those printed, filled
 * with real values.
 */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import packageJson from "../../package.json" with { type: "json" };
import { carillon } from "../../src/cli/test-support.ts";

const ROOT = join(import.meta.dir, "../..");
const ORGANISATION = "org_26ZZVNs2QURl4yY6owPARekUbMa";
const USER = "usr_26ZZVRrmnPTXTcZIuzXLZdnigLW";

const CONNECTION_TOKEN = String.raw`curl --request GET \
--url https://api.envoy.one/events/connection_token \
--header 'Accept: application/json' \
--header 'Authorization: Bearer {access-token}'`;
const SUBSCRIPTION_TOKEN = String.raw`curl --request GET \
--url https://api.envoy.one/events/subscription_token \
--header 'Accept: application/json' \
--header 'Authorization: Bearer {access-token}' \
--header 'Content-Type: application/json' \
--data '{"channel":"shipments:org_26ZZVNs2QURl4yY6owPARekUbMa#usr_26ZZVRrmnPTXTcZIuzXLZdnigLW"}'`;
const PROVISION = String.raw`curl --request GET \
--url https://api.envoy.one/events/provision \
--header 'Accept: application/json' \
--header 'Authorization: Bearer {access-token}'`;
const DEPROVISION = String.raw`curl --request GET \
--url https://api.envoy.one/events/deprovision \
--header 'Accept: application/json' \
--header 'Authorization: Bearer {access-token}'`;

const dataDir = mkdtempSync(join(tmpdir(), "carillon-published-"));
let server: Bun.Subprocess<"ignore", "pipe", "inherit">;
let apiUrl: string;
let token: string;

beforeAll(async () => {
  const bin = join(ROOT, "node_modules/.bin");
  server = Bun.spawn(["sh", "-c", `exec ${packageJson.scripts.start}`], {
    cwd: ROOT,
    env: {
      ...{ PATH: `${bin}:${process.env["PATH"]}`, CARILLON_DATA_DIR: dataDir },
      ...{ CARILLON_CLIENTS_PORT: "0", CARILLON_API_PORT: "0", CARILLON_LOG_FORMAT: "json" },
    },
    ...{ stdin: "ignore", stdout: "pipe", stderr: "inherit" },
  });
  ({ api: apiUrl } = await ready(server.stdout));
  const minted = await carillon(["token", "access"]);
  expect(minted.err).toBe("");
  token = minted.out.trim();
});
afterAll(async () => {
  server.kill();
  await server.exited;
  rmSync(dataDir, { recursive: true, force: true });
});

/** The line that says where it listens. */
async function ready(output: ReadableStream<Uint8Array>): Promise<{ readonly api: string }> {
  let text = "";
  const decoder = new TextDecoder();
  for await (const chunk of output) {
    text += decoder.decode(chunk, { stream: true });
    const line = text.split("\n").find((each) => each.includes('"msg":"Ready"'));
    if (line !== undefined) return JSON.parse(line) as { api: string };
  }
  throw new Error(`It ended: ${text}`);
}

async function run(printed: string, bearer = token) {
  const command = printed
    .replace("https://api.envoy.one", apiUrl)
    .replace("{access-token}", bearer)
    // What curl says besides the body goes behind it.
    .concat(" --silent --show-error --write-out '\\n%{http_code} %{content_type}'");
  const child = Bun.spawn(["sh", "-c", command], { stdout: "pipe", stderr: "pipe" });
  const [out, err] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
  ]);
  expect([err, await child.exited]).toEqual(["", 0]);
  const end = out.lastIndexOf("\n");
  const [status, type] = out.slice(end + 1).split(" ");
  return { status: Number(status), type, body: out.slice(0, end) };
}

function claimsOf(body: string): unknown {
  const [, payload = ""] = (JSON.parse(body) as { token: string }).token.split(".");
  return JSON.parse(Buffer.from(payload, "base64url").toString());
}

/** As printed: one member, whose value begins like the one there. */
const PRINTED_TOKEN = /^\{"token":"eyJhbGciOi[\w-]+\.[\w-]+\.[\w-]+"\}$/;

test("Get Streaming Events Connection Token", async () => {
  const { status, type, body } = await run(CONNECTION_TOKEN);
  expect([status, type]).toEqual([200, "application/json;"]);
  expect(body).toMatch(PRINTED_TOKEN);
  expect(claimsOf(body)).toMatchObject({
    sub: USER,
    subs: {
      [`orders:${ORGANISATION}`]: {},
      [`orders:${ORGANISATION}#${USER}`]: {},
      [`shipments:${ORGANISATION}`]: {},
      [`shipments:${ORGANISATION}#${USER}`]: {},
    },
  });
});

test("Get Streaming Events Subscription Token, with its body on a GET", async () => {
  const { status, body } = await run(SUBSCRIPTION_TOKEN);
  expect(status).toBe(200);
  expect(body).toMatch(PRINTED_TOKEN);
  expect(claimsOf(body)).toMatchObject({
    ...{ sub: USER, channel: `shipments:${ORGANISATION}#${USER}` },
  });
});

test("a channel for which the token does not have permission is a 403", async () => {
  const foreign = SUBSCRIPTION_TOKEN.replace(`#${USER}"`, '#usr_somebody"');
  const { status, body } = await run(foreign);
  expect([status, JSON.parse(body)]).toMatchObject([403, { error: { code: "channel_forbidden" } }]);
  const { out } = await carillon(["token", "access", "--scope", "orders:read"]);
  expect((await run(SUBSCRIPTION_TOKEN, out.trim())).status).toBe(403);
});

test("Provision and Deprovision Event Streaming for Organisation", async () => {
  const on = await run(PROVISION);
  expect([on.status, JSON.parse(on.body)]).toMatchObject([
    200,
    { organisation_id: ORGANISATION, status: "active", generation: 1 },
  ]);
  const off = await run(DEPROVISION);
  expect([off.status, JSON.parse(off.body)]).toMatchObject([
    200,
    { organisation_id: ORGANISATION, status: "deprovisioned", webhook_endpoints_deleted: 0 },
  ]);
  expect((await run(CONNECTION_TOKEN)).status).toBe(409);
  expect(JSON.parse((await run(PROVISION)).body)).toMatchObject({ generation: 2 });
  expect((await run(CONNECTION_TOKEN)).status).toBe(200);
});

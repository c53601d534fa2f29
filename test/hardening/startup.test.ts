/** A start that cannot be: one clear line on the standard error, a non-zero exit, no stack trace. And what TLS and proxies change. */
import { developmentFile } from "../../src/dialects/configuration.ts";
import { afterAll, describe, expect, test } from "bun:test";
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { connect as connectTls } from "node:tls";

import { runServe, spawnServer } from "../support/child-server.ts";
import { bootServer, temporaryDir } from "../support/server.ts";

const directory = temporaryDir();
afterAll(() => rmSync(directory, { recursive: true, force: true }));

const CERT = join(import.meta.dir, "../fixtures/tls/cert.pem");
const KEY = join(import.meta.dir, "../fixtures/tls/key.pem");

/** A configuration over the development one, in a file of its own. */
function configFile(config: Readonly<Record<string, unknown>>): string {
  const place = mkdtempSync(join(directory, "config-"));
  const path = join(place, "carillon.json");
  const file = {
    ...developmentFile(),
    clients: { port: 0 },
    api: { port: 0 },
    data_dir: join(place, "data"),
    ...config,
  };
  writeFileSync(path, JSON.stringify(file));
  return path;
}

/** Nothing but this one line, and a non-zero exit. `line`: without the word of a configuration's problem. */
async function expectRefusal(path: string, line: RegExp): Promise<void> {
  const { code, out, err } = await runServe(["--config", path], directory);
  const told = err.split("\n").filter((each) => each !== "");
  const lines = told.map((each) => each.replace(/^(?!carillon: )(.*) \[config_\w+\]$/, "$1"));
  expect({ lines, out }).toEqual({ lines: [expect.stringMatching(line)], out: "" });
  expect(code).toBe(1);
}

describe("a configuration that cannot be used", () => {
  test("is not there", () =>
    expectRefusal(join(directory, "none.toml"), /none\.toml: the file does not exist$/));

  test("is a directory", () => {
    mkdirSync(join(directory, "folder.toml"), { recursive: true });
    return expectRefusal(join(directory, "folder.toml"), /folder\.toml: cannot be read: EISDIR/);
  });

  test("is no TOML", () => {
    const path = join(directory, "broken.toml");
    writeFileSync(path, "[clients\nport = 1\n");
    return expectRefusal(path, /broken\.toml:1:\d+: /);
  });

  test("holds an unknown key", () =>
    expectRefusal(
      configFile({ clients: { prot: 0 } }),
      /clients\.prot: unknown key, did you mean "port"\?$/,
    ));

  test("holds a value of the wrong type", () =>
    expectRefusal(configFile({ clients: { port: "http" } }), /clients\.port: must be /));

  test("holds a value out of its range", () =>
    expectRefusal(configFile({ clients: { port: 65_536 } }), /clients\.port: must be /));

  test("shows development credentials to the world", () =>
    expectRefusal(
      configFile({ clients: { host: "0.0.0.0", port: 0 } }),
      /clients\.host: Development credentials are refused on a non-loopback address$/,
    ));

  test.each(["clients", "api"])("names TLS files of %s that are not there", (listener) =>
    expectRefusal(
      configFile({ [listener]: { port: 0, tls: { cert: CERT, key: "/none.pem" } } }),
      new RegExp(`${listener}\\.tls\\.key: file "/none\\.pem" does not exist$`),
    ),
  );

  test.each(["clients", "api"])("names a certificate of %s that is none", (listener) =>
    expectRefusal(
      configFile({ [listener]: { port: 0, tls: { cert: KEY, key: KEY } } }),
      new RegExp(`${listener}\\.tls\\.cert: must hold a certificate in PEM$`),
    ),
  );

  test("names an address that is not this machine's", () =>
    expectRefusal(
      configFile({
        ...{ development: false, api_keys: [], signing_keys: [] },
        clients: { host: "203.0.113.1", port: 0 },
        channel: {},
      }),
      /^carillon: "203\.0\.113\.1" is not an address of this machine \[listen_failed\]$/,
    ));
});

describe("a port that another has", () => {
  test.each(["clients", "api"])("of %s", async (listener) => {
    const taken = createServer();
    await new Promise<void>((resolve) => taken.listen(0, "127.0.0.1", resolve));
    const { port } = taken.address() as AddressInfo;
    await expectRefusal(
      configFile({ [listener]: { port } }),
      new RegExp(`^carillon: Port ${port} on 127\\.0\\.0\\.1 is already in use \\[port_in_use\\]$`),
    );
    await new Promise((resolve) => taken.close(resolve));
  });
});

describe("a database that cannot be used", () => {
  test.each([
    [
      "text",
      Buffer.from("not a database\n".repeat(500)),
      /it is not a SQLite database \[database_unusable\]$/,
    ],
    [
      "its header followed by rubbish",
      corrupt(),
      /it is (damaged.* \[database_damaged|not a SQLite database \[database_unusable)\]$/,
    ],
  ])("is %s", async (_, content, reason) => {
    const dataDir = mkdtempSync(join(directory, "data-"));
    writeFileSync(join(dataDir, "carillon.db"), content);
    const line = new RegExp(
      `^carillon: Cannot open the database ".*carillon\\.db": ${reason.source}`,
    );
    await expectRefusal(configFile({ data_dir: dataDir }), line);
  });

  test("is a directory", async () => {
    const dataDir = mkdtempSync(join(directory, "data-"));
    mkdirSync(join(dataDir, "carillon.db"));
    const line = /^carillon: Cannot open the database .* \[data_dir_unusable\]$/;
    await expectRefusal(configFile({ data_dir: dataDir }), line);
  });

  test("lies where a file is", async () => {
    const dataDir = join(mkdtempSync(join(directory, "data-")), "file");
    writeFileSync(dataDir, "");
    await expectRefusal(
      configFile({ data_dir: dataDir }),
      /^carillon: Cannot open the database ".*": the data directory's path is taken by a file \[data_dir_unusable\]$/,
    );
  });

  // Root may write anywhere, so only others can be refused.
  test("lies where nobody may write", async () => {
    const dataDir = process.getuid?.() === 0 ? "/proc/none" : mkdtempSync(join(directory, "data-"));
    if (process.getuid?.() !== 0) chmodSync(dataDir, 0o500);
    const line = /^carillon: Cannot open the database .* \[data_dir_unusable\]$/;
    await expectRefusal(configFile({ data_dir: dataDir }), line);
  });

  test("belongs to a running server", async () => {
    await using server = await spawnServer();
    await expectRefusal(
      configFile({ data_dir: server.dataDir }),
      /^carillon: Cannot open the database ".*": another process is using it \[database_in_use\]$/,
    );
    // And the running one did not notice.
    expect(await server.api("publish", { channel: "public:a", data: 1 })).toHaveProperty("result");
  });
});

describe("a master key that cannot be used", () => {
  test("holds something else, and stays", async () => {
    const dataDir = mkdtempSync(join(directory, "data-"));
    const path = join(dataDir, "master.key");
    writeFileSync(path, "something else");
    const line =
      /^carillon: The master key ".*master\.key" is not 64 hexadecimal digits \[master_key_unusable\]$/;
    await expectRefusal(configFile({ data_dir: dataDir }), line);
    expect(readFileSync(path, "utf8")).toBe("something else");
  });

  test("is a directory", async () => {
    const dataDir = mkdtempSync(join(directory, "data-"));
    mkdirSync(join(dataDir, "master.key"));
    const line =
      /^carillon: The master key ".*master\.key" cannot be read or made: .* \[master_key_unusable\]$/;
    await expectRefusal(configFile({ data_dir: dataDir }), line);
  });
});

function corrupt(): Buffer {
  const page = Buffer.alloc(8192, 0xa5);
  page.write("SQLite format 3\0", "latin1");
  return page;
}

describe("TLS", () => {
  const tls = { cert: CERT, key: KEY };
  const config = { clients: { port: 0, tls }, api: { port: 0, tls } };
  const ca = readFileSync(CERT, "utf8");

  test("both listeners speak it, and nothing else", async () => {
    await using server = await bootServer({ config });
    expect(server.clientsUrl).toStartWith("https://127.0.0.1:");
    expect(server.apiUrl).toStartWith("https://127.0.0.1:");
    expect(server.websocketUrl).toStartWith("wss://");

    const options = { tls: { rejectUnauthorized: false } };
    const health = await fetch(`${server.apiUrl}/health`, options);
    expect(await health.json()).toEqual({});
    const page = await fetch(`${server.clientsUrl}/`, options);
    expect([page.status, page.headers.get("content-type")]).toEqual([
      200,
      "text/html; charset=utf-8",
    ]);
    await page.text();

    const socket = new WebSocket(server.websocketUrl, options);
    const opened = Promise.withResolvers<unknown>();
    const answered = Promise.withResolvers<string>();
    socket.onopen = opened.resolve;
    socket.onerror = opened.reject;
    socket.onmessage = ({ data }) => answered.resolve(String(data));
    await opened.promise;
    socket.send('{"id":1,"connect":{}}');
    expect(JSON.parse(await answered.promise)).toMatchObject({ id: 1, connect: { ping: 25 } });
    socket.close();

    for (const url of [server.clientsUrl, server.apiUrl]) {
      expect(await certificateOf(url)).toBe(ca.trim());
      const refusal = fetch(url.replace("https:", "http:")).then(
        ({ status }) => status,
        () => "refused",
      );
      expect(["refused", 400]).toContain(await refusal);
    }
  });
});

/** The certificate that a listener shows, in PEM. */
function certificateOf(url: string): Promise<string> {
  const { hostname, port } = new URL(url);
  return new Promise((resolve, reject) => {
    const options = { host: hostname, port: Number(port), rejectUnauthorized: false };
    const socket = connectTls(options, () => {
      const { raw } = socket.getPeerCertificate();
      socket.destroy();
      const lines = raw.toString("base64").match(/.{1,64}/g) ?? [];
      resolve(["-----BEGIN CERTIFICATE-----", ...lines, "-----END CERTIFICATE-----"].join("\n"));
    });
    socket.on("error", reject);
  });
}

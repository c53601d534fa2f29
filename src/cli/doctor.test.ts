/** `carillon doctor` on the command line: exit codes, what is printed, and a server with few files. What it finds: test/conformance/doctor.test.ts. */
import { expect, test } from "bun:test";
import { join } from "node:path";
import { spawnServer } from "../../test/support/child-server.ts";
import type { Report } from "../doctor/index.ts";
import { carillon, withFiles } from "./test-support.ts";

test("a server with 1024 files is found: exit code 1, and what to change", async () => {
  await using server = await spawnServer({ command: withFiles(1024) });
  const doctor = ["doctor", server.clientsUrl, "--api", server.apiUrl, "--quick"];
  const [{ code, out }, json] = await Promise.all([
    carillon(doctor),
    carillon([...doctor, "--json"]),
  ]);
  expect(out).toContain("The server may open 1024 files");
  expect(out).toContain("LimitNOFILE=1048576");
  expect(out).toContain("0 to mend, 1 to look at.");
  expect(out).toMatch(/^streaming +\d+ +13\/13 /m);
  expect(code).toBe(1);
  expect(JSON.parse(json.out)).toMatchObject({
    severity: "warning",
    findings: [{ id: "open-files", severity: "warning", remedy: expect.any(String) }],
  });
  expect(json.code).toBe(1);
});

test("a server with enough files is healthy: exit code 0", async () => {
  await using server = await spawnServer({ command: withFiles(4096) });
  const ran = await carillon(["doctor", server.clientsUrl, "--api", server.apiUrl, "--quick"]);
  expect(ran.out).toEndWith("\nNothing is wrong.\n");
  expect(ran.code).toBe(0);
});

test("a server with TLS whose authority is known is healthy, and so are its sockets", async () => {
  const fixtures = join(import.meta.dir, "../../test/fixtures/tls");
  const tls = { cert: join(fixtures, "cert.pem"), key: join(fixtures, "key.pem") };
  await using server = await spawnServer({ config: { clients: { port: 0, tls } } });
  const doctor = ["doctor", server.clientsUrl, "--api", server.apiUrl, "--quick", "--json"];
  const { out } = await carillon(doctor, { NODE_EXTRA_CA_CERTS: tls.cert });
  const { findings, measured } = JSON.parse(out) as Report;
  expect(findings.filter(({ id }) => id !== "open-files")).toEqual([]);
  expect(measured).toHaveLength(6);
});

test("no server at all: exit code 2", async () => {
  const nowhere = "http://127.0.0.1:9";
  const { code, out } = await carillon(["doctor", nowhere, "--api", nowhere]);
  expect(out).toContain("[clients-unreachable]");
  expect(out).toContain("[api-unreachable]");
  expect(out).toEndWith("2 to mend, 0 to look at.\n");
  expect(code).toBe(2);
});

test("an address that is none is told as such", async () => {
  const { code, err } = await carillon(["doctor", "push.example"]);
  expect(err).toBe("carillon: The URL must be an http, https, ws or wss address [command_usage]\n");
  expect(code).toBe(2);
});

import { expect, test } from "bun:test";
import { MODEL } from "../dialects/configuration.ts";
import { readEnvironment } from "./environment.ts";

const NOTHING = { overrides: [], problems: [], listed: [] };

test("what Kubernetes and Docker's links set is not meant for the server", () => {
  const env = {
    // Of a service `carillon`, whose port 8000 has a name.
    CARILLON_SERVICE_HOST: "10.96.0.7",
    CARILLON_SERVICE_PORT: "8000",
    CARILLON_SERVICE_PORT_CLIENTS: "8000",
    CARILLON_PORT: "tcp://10.96.0.7:8000",
    CARILLON_PORT_8000_TCP: "tcp://10.96.0.7:8000",
    CARILLON_PORT_8000_TCP_PROTO: "tcp",
    CARILLON_PORT_8000_TCP_PORT: "8000",
    CARILLON_PORT_8000_TCP_ADDR: "10.96.0.7",
    // Of services `carillon-api` and `carillon-redis`.
    CARILLON_API_SERVICE_HOST: "10.96.0.8",
    CARILLON_API_PORT: "tcp://10.96.0.8:9000",
    CARILLON_REDIS_PORT: "tcp://10.96.0.9:6379",
    CARILLON_REDIS_PORT_6379_TCP_ADDR: "10.96.0.9",
    // Of a link of Docker's.
    CARILLON_NAME: "/web/carillon",
    CARILLON_ENV_NODE_VERSION: "22.1.0",
  };
  expect(readEnvironment(MODEL, env)).toEqual(NOTHING);
  const own = { ...env, CARILLON_API_PORT: "9001", CARILLON_CLIENTS_PORT: "0" };
  expect(readEnvironment(MODEL, own).overrides.map(({ name, value }) => [name, value])).toEqual([
    ["CARILLON_API_PORT", 9001],
    ["CARILLON_CLIENTS_PORT", 0],
  ]);
});

test("what only looks like it is a problem", () => {
  const env = {
    CARILLON_HOSTING_NAME: "web",
    CARILLON_CLIENTS_PORT: "http://10.96.0.7",
    CARILLON_SERVICE: "10.96.0.7",
  };
  expect(readEnvironment(MODEL, env).problems).toEqual([
    "CARILLON_HOSTING_NAME: unknown variable",
    "CARILLON_CLIENTS_PORT: must be an integer",
    "CARILLON_SERVICE: unknown variable",
  ]);
});

test("a number is one, and a name that is near is told", () => {
  const read = readEnvironment(MODEL, { CARILLON_SORA_PORT: "0" });
  expect(read.overrides.map(({ path, value }) => [path, value])).toEqual([[["sora", "port"], 0]]);
  const env = { CARILLON_SORA_PORT: "any", CARILLON_SORA_PROT: "1" };
  expect(readEnvironment(MODEL, env).problems).toEqual([
    "CARILLON_SORA_PORT: must be an integer",
    'CARILLON_SORA_PROT: unknown variable, did you mean "CARILLON_SORA_PORT"?',
  ]);
});

test("a list is words between spaces, or a list in JSON", () => {
  const read = (name: string, text: string) => {
    const { overrides, problems } = readEnvironment(MODEL, { [name]: text });
    return problems[0] ?? overrides[0]?.value;
  };
  expect(read("CARILLON_CLIENTS_TRUSTED_PROXIES", " 10.0.0.0/8   ::1 ")).toEqual([
    "10.0.0.0/8",
    "::1",
  ]);
  expect(read("CARILLON_CLIENTS_TRUSTED_PROXIES", '["10.0.0.0/8"]')).toEqual(["10.0.0.0/8"]);
  expect(read("CARILLON_TASKS_WEBSOCKET_PATHS", "[]")).toEqual([]);
  expect(read("CARILLON_WEBHOOKS_DENY_PORTS", "22 25")).toEqual([22, 25]);
  expect(read("CARILLON_WEBHOOKS_DENY_PORTS", "22 x")).toBe(
    "CARILLON_WEBHOOKS_DENY_PORTS: must be integers between spaces, or a list in JSON",
  );
  expect(read("CARILLON_TASKS_WEBSOCKET_PATHS", '["/a"')).toBe(
    "CARILLON_TASKS_WEBSOCKET_PATHS: must be words between spaces, or a list in JSON",
  );
});

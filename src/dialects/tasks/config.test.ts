import { toFile } from "../configuration.ts";
import { describe, expect, test } from "bun:test";

import { configOf, linesOf } from "../../config/test-support.ts";

describe("secrets", () => {
  const signing = (key: object) => linesOf({ signing_keys: [{ use: "tasks", ...key }] });

  test("are shared, and nothing tells one from another", () => {
    expect(signing({ hmac_secret: "s" })).toEqual([]);
    expect(signing({ hmac_secret: "s", until: "2027-01-01T00:00:00Z" })).toEqual([]);
    const line = 'needs an "hmac_secret": tasks\' calls are signed with a shared secret';
    expect(signing({ public_key: "p" })).toEqual([`signing_keys[0]: ${line}`]);
    const nothing = "has no effect on the signatures of tasks' calls: remove it";
    expect(
      signing({ hmac_secret: "s", algorithms: ["HS512"], kid: "k", issuer: "i", audience: "a" }),
    ).toEqual(
      ["algorithms", "kid", "issuer", "audience"].map(
        (name) => `signing_keys[0].${name}: ${nothing}`,
      ),
    );
  });

  test("development mode's stays on loopback addresses", () => {
    expect(
      linesOf({
        api: { host: "0.0.0.0" },
        signing_keys: [{ use: "tasks", hmac_secret: "dev-api-key" }],
      }),
    ).toEqual(["api.host: Development credentials are refused on a non-loopback address"]);
  });
});

describe("master keys", () => {
  const hex = "0f".repeat(32);
  const base64 = Buffer.from(hex, "hex").toString("base64");

  test("are 32 bytes in hexadecimal or base64", () => {
    for (const master_key of [hex, base64, base64.replace("=", "")]) {
      expect(linesOf({ master_key, previous_master_keys: [hex, base64] })).toEqual([]);
    }
    const line = "must be 32 bytes in hexadecimal or base64";
    for (const text of ["", "x", hex.slice(1), `${hex}0`, base64.slice(2), `${base64}=`]) {
      expect(linesOf({ master_key: text })).toEqual([`master_key: ${line}`]);
      expect(linesOf({ previous_master_keys: [text] })).toEqual([
        `previous_master_keys[0]: ${line}`,
      ]);
    }
  });

  test("are not shown", () => {
    const config = configOf({ master_key: hex, previous_master_keys: [hex] });
    const shown = JSON.stringify(toFile(config, { redact: true }));
    expect(shown).not.toContain(hex);
    expect(JSON.stringify(toFile(config, { redact: false }))).toContain(hex);
  });
});

describe("apps of their own", () => {
  test("exist, and once", () => {
    const apps = [{ id: "a" }, { id: "b", path_prefix: "/b" }];
    expect(linesOf({ apps, tasks: { apps: [{ id: "b", strict: true }] } })).toEqual([]);
    expect(linesOf({ apps, tasks: { apps: [{ id: "c" }] } })).toEqual([
      'tasks.apps[0].id: app "c" is not configured: add it to [[apps]]',
    ]);
    expect(linesOf({ apps, tasks: { apps: [{ id: "a" }, { id: "a" }] } })).toEqual([
      'tasks.apps[1].id: "a" is already used by entry 0',
    ]);
  });
});

describe("bounds", () => {
  test.each([
    ["tick_interval", "1s", "4s", "999ms", "4001ms"],
    ["retention", "1s", "168h", "0s", "604801s"],
    ["authentication_timeout", "1s", "10m", "0s", "601s"],
    ["ping_interval", "1s", "1h", "0s", "3601s"],
    ["pong_timeout", "1s", "1h", "0s", "3601s"],
  ])("%s", (name, least, most, under, over) => {
    expect(linesOf({ tasks: { [name]: least } })).toEqual([]);
    expect(linesOf({ tasks: { [name]: most } })).toEqual([]);
    expect(linesOf({ tasks: { [name]: under } })).toEqual([
      `tasks.${name}: must be at least "${least}"`,
    ]);
    expect(linesOf({ tasks: { [name]: over } })).toEqual([
      `tasks.${name}: must be at most "${most}"`,
    ]);
  });
});

test("its paths are not streaming's", () => {
  expect(linesOf({ tasks: { rpc_path: "/api" } })).toEqual([
    'tasks.rpc_path: must differ from "streaming.api_path"',
  ]);
  expect(linesOf({ tasks: { websocket_paths: ["/", "/connection/websocket"] } })).toEqual([
    'tasks.websocket_paths[1]: must differ from "streaming.websocket_path"',
  ]);
  expect(linesOf({ tasks: { websocket_paths: ["tasks"] } })).toEqual([
    'tasks.websocket_paths[0]: must begin with "/" and not end with it',
  ]);
});

test("it may be enabled without a word about channels, since its clients join none", () => {
  expect(linesOf({ tasks: { enabled: true } })).toEqual([]);
});

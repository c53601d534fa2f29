import { developmentFile, validate } from "../dialects/configuration.ts";
import { expect, test } from "bun:test";

test("a configuration reaches a worker as it is: its messages are JSON", () => {
  const until = "2027-01-31T12:00:00+02:00";
  const checked = validate({
    ...developmentFile(),
    engine: "redis",
    master_key: "0".repeat(64),
    redis: { url: ["redis://one", "redis://two"] },
    signing_keys: [{ use: "streaming", hmac_secret: "s", until }],
  });
  if ("problems" in checked) throw new Error(JSON.stringify(checked.problems));
  expect(JSON.parse(JSON.stringify(checked.config))).toEqual(checked.config);
});

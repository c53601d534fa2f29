import { expect, test } from "bun:test";
import { validate, warningsOf } from "../configuration.ts";

const checked = (messaging: object) => validate({ messaging });
const problems = (messaging: object) => {
  const result = checked(messaging);
  return "problems" in result ? result.problems : [];
};
const url = "https://auth.example/introspect";

test("credentials of the introspection come in twos, and with an address", () => {
  const id = { introspection_client_id: "a" };
  const secret = { introspection_client_secret: "b" };
  expect(problems({ introspection_url: url })).toEqual([]);
  expect(problems({ introspection_url: url, ...id, ...secret })).toEqual([]);
  expect(JSON.stringify(problems({ introspection_url: url, ...id }))).toContain(
    "introspection_client_secret",
  );
  expect(JSON.stringify(problems({ introspection_url: url, ...secret }))).toContain(
    "introspection_client_id",
  );
  expect(JSON.stringify(problems({ ...id, ...secret }))).toContain("introspection_url");
  expect(problems({ introspection_url: "ftp://auth.example" })).toHaveLength(1);
});

test("tokens that are sent without TLS are warned of", () => {
  const warned = (introspection_url: string) => {
    const result = checked({ introspection_url });
    if (!("config" in result)) throw new Error("It is not valid");
    return warningsOf(result.config).map(({ path }) => path.join("."));
  };
  expect(warned(url)).toEqual([]);
  expect(warned("http://auth.example/introspect")).toEqual(["messaging.introspection_url"]);
});

import { validate, MODEL } from "../dialects/configuration.ts";
import { expect, test } from "bun:test";
import { joinableOptions } from "../core/namespaces.ts";
import { rulesOf } from "../dialects/streaming/channel-rules.ts";
import { createNamespaces } from "./namespaces.ts";

function namespacesOf(channel: object) {
  const checked = validate({ channel });
  if ("problems" in checked) throw new Error(JSON.stringify(checked.problems));
  return createNamespaces(MODEL.parts, checked.config);
}

test("createNamespaces(MODEL.parts, ) says what the core needs, times in milliseconds", () => {
  const { named, withoutNamespace } = namespacesOf({
    history_meta_ttl: "10h",
    without_namespace: { history_size: 2, history_ttl: "1s", history_meta_ttl: "2s" },
    namespaces: [
      {
        name: "news",
        history_size: 5,
        history_ttl: "300s",
        allow_history_for_subscriber: true,
        publication_data_format: "binary",
      },
    ],
  });
  expect(withoutNamespace.history).toEqual({ size: 2, ttlMs: 1000, metaTtlMs: 2000 });
  expect(named.get("news")).toMatchObject({
    namespace: "news",
    dialects: ["streaming"],
    openingRules: "streaming",
    history: { size: 5, ttlMs: 300_000, metaTtlMs: 36_000_000 },
    own: { streaming: { allow_history_for_subscriber: true, allow_history_for_client: false } },
    publicationDataFormat: "binary",
  });
});

test("nothing configured: no history, no regex", () => {
  const { withoutNamespace, named } = namespacesOf({});
  expect(named.size).toBe(0);
  expect(withoutNamespace).not.toHaveProperty("history");
  expect(rulesOf(withoutNamespace)).not.toHaveProperty("channelRegex");
});

test("channel_regex may match anywhere", () => {
  const { named } = namespacesOf({ namespaces: [{ name: "news", channel_regex: "b+$" }] });
  const news = named.get("news");
  const { channelRegex: regex } = news === undefined ? {} : rulesOf(news);
  expect(regex?.test("abb")).toBe(true);
  expect(regex?.test("bba")).toBe(false);
});

test("what streaming may join", () => {
  const namespaces = namespacesOf({ namespaces: [{ name: "news", dialects: ["streaming"] }] });
  const news = joinableOptions(namespaces, "news:a", "streaming");
  expect(news?.dialects).toEqual(["streaming"]);
  expect(news).not.toHaveProperty("openingRules");
  expect(joinableOptions(namespaces, "plain", "streaming")?.namespace).toBe("");
  expect(joinableOptions(namespaces, "news:a", "gusher")).toBeUndefined();
});

test("where streaming may not join, a $ or # is a letter like others", () => {
  const { withoutNamespace } = namespacesOf({ without_namespace: { dialects: ["gusher"] } });
  expect(withoutNamespace).not.toHaveProperty("openingRules");
  expect(namespacesOf({}).withoutNamespace.openingRules).toBe("streaming");
});

test("what gusher may join: everything it is said to, and in development mode free names", () => {
  const joins = (raw: object, name: string) => {
    const checked = validate(raw);
    if ("problems" in checked) throw new Error(JSON.stringify(checked.problems));
    return (
      joinableOptions(createNamespaces(MODEL.parts, checked.config), name, "gusher") !== undefined
    );
  };
  const channel = { namespaces: [{ name: "both", dialects: ["streaming", "gusher"] }] };
  expect(joins({ channel }, "both:a#b")).toBe(true);
  expect(joins({ channel }, "free")).toBe(false);
  const said = { without_namespace: { dialects: ["streaming", "gusher"] } };
  expect(joins({ channel: said }, "free")).toBe(true);
  for (const name of ["$private", "user#1", "unknown:user#1"]) {
    expect([name, joins({ channel: said }, name)]).toEqual([name, false]);
  }
  const dev = { channel, development: true };
  expect(joins(dev, "free")).toBe(true);
  expect(joins(dev, "unknown:prefix")).toBe(true);
  expect(joins(dev, "$private")).toBe(false);
  expect(joins(dev, "user#1")).toBe(false);
});

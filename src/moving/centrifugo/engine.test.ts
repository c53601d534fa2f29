/** Where Centrifugo's data was, and where Carillon's is then. */
import { describe, expect, test } from "bun:test";
import { accepted, MASTER_KEY, ofEnv, ofJson } from "./test-support.ts";

describe("Redis", () => {
  const url = (redis: object) => {
    const done = ofJson({ engine: { type: "redis", redis } });
    const file = accepted(done) as { redis: { url: unknown } };
    expect(file).toMatchObject({ engine: "redis", master_key: MASTER_KEY });
    return file.redis.url;
  };

  test.each([
    [{}, "redis://127.0.0.1:6379"],
    [{ address: "cache:6379", db: 2 }, "redis://cache:6379/2"],
    [{ address: "redis://u:p@cache:6379/1" }, "redis://u:p@cache:6379/1"],
    [
      { address: ["a:1", "b:2"], user: "me", password: "p@ss" },
      ["redis://me:p%40ss@a:1", "redis://me:p%40ss@b:2"],
    ],
    [{ address: "cache:6379", tls: { enabled: true } }, "rediss://cache:6379"],
    [{ address: "unix:///run/redis.sock" }, "redis+unix:///run/redis.sock"],
    [{ cluster_address: ["a:1,b:2"] }, "redis+cluster://a:1,b:2"],
    [
      { sentinel_address: ["a:1,b:2"], sentinel_master_name: "mine", password: "p" },
      "redis+sentinel://:p@a:1,b:2/mine",
    ],
  ])("%j", (redis, expected) => {
    expect(url(redis)).toEqual(expected as never);
  });

  test("as broker alone, and of version 5", () => {
    const broker = { enabled: true, type: "redis", redis: { address: "a:1", prefix: "my" } };
    expect(ofJson({ broker }).file["redis"]).toEqual({
      ...{ url: "redis://a:1", prefix: "my-carillon" },
    });
    const former = ofEnv("CENTRIFUGO_ENGINE=redis\nCENTRIFUGO_REDIS_ADDRESS=a:1 b:2");
    expect(former.file["redis"]).toEqual({ url: ["redis://a:1", "redis://b:2"] });
    const off = { ...broker, enabled: false };
    expect(ofJson({ broker: off }).file).not.toHaveProperty("engine");
  });

  test("is not what NATS, PostgreSQL and Tarantool were", () => {
    for (const raw of [
      { broker: { enabled: true, type: "nats", nats: { url: "nats://a" } } },
      { broker: { enabled: true, type: "postgres", postgres: { dsn: "postgres://a" } } },
      { engine: "tarantool", tarantool_address: "tcp://a" },
    ]) {
      const done = ofJson(raw);
      expect(accepted(done)).not.toHaveProperty("redis");
      expect(done.notes).toContainEqual(
        expect.stringMatching(/^no counterpart: .*: the engine is `embedded` or `redis`$/),
      );
    }
  });
});

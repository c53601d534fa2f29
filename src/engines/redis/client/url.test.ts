/** The forms of a URL: what each is taken for, and what is said of one that is none. */
import { expect, test } from "bun:test";
import { parseUrls } from "./url.ts";

function problem(url: string | readonly string[]): string {
  try {
    return `taken: ${JSON.stringify(parseUrls(url))}`;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

test.each([
  ["redis://h", "redis://h:6379", "h:6379"],
  ["redis://h:1/", "redis://h:1", "h:1"],
  ["rediss://u:p@h:1/2", "rediss://u:p@h:1/2", "h:1/2"],
  ["redis://:p%40%3A@h", "redis://:p%40%3A@h:6379", "h:6379"],
  ["redis://u:a@b:c@h", "redis://u:a%40b%3Ac@h:6379", "h:6379"],
  ["redis://[::1]:7", "redis://[::1]:7", "[::1]:7"],
  ["redis+unix:///run/redis.sock", "redis+unix:///run/redis.sock", "/run/redis.sock"],
])("%s is one server", (given, url, name) => {
  expect(parseUrls(given)).toEqual([{ kind: "server", url, name }]);
});

test("several servers are a list, or text with commas before the schemes", () => {
  const [one, two] = parseUrls(["redis://a", "redis://b"]);
  expect([one?.name, two?.name]).toEqual(["a:6379", "b:6379"]);
  expect(parseUrls("redis://a, rediss://b")).toHaveLength(2);
});

test("a master that Sentinels name", () => {
  expect(parseUrls("redis+sentinel://u:p@a,b:2/main/3")).toEqual([
    {
      kind: "sentinel",
      master: "main",
      sentinels: ["a:26379", "b:2"],
      before: "redis://u:p@",
      after: "/3",
      name: "a:26379,b:2/main/3",
    },
  ]);
});

test("a Cluster", () => {
  expect(parseUrls("rediss+cluster://:p%20q@a:1,[::1]")).toEqual([
    {
      kind: "cluster",
      seeds: [
        { host: "a", port: 1 },
        { host: "::1", port: 6379 },
      ],
      username: "",
      password: "p q",
      tls: true,
      name: "a:1,[::1]:6379",
    },
  ]);
});

test.each([
  ["", "no URL of a Redis server is given"],
  ["http://h", 'not a Redis URL: "http://h"'],
  ["redis://u:secret@h:x", 'bad host or port in "redis://h:x"'],
  ["redis://u:secret@", 'bad host or port in "redis://"'],
  ["redis://h:0", 'bad host or port in "redis://h:0"'],
  ["redis://h:65536", 'bad host or port in "redis://h:65536"'],
  ["redis://h/x", 'the database is not a number in "redis://h/x"'],
  ["redis://u:%zz@h", 'user name or password is not URL-encoded in "redis://h"'],
  ["redis://a,b", 'several hosts in one URL, in "redis://a,b": give a list of URLs'],
  [
    "redis+sentinel://a",
    'the name of the master is missing behind the "/" in "redis+sentinel://a"',
  ],
  ["redis+cluster://a/1", 'a Cluster has no databases, in "redis+cluster://a/1"'],
  ["redis+unix://h/p", 'a socket\'s path must be absolute in "redis+unix://h/p"'],
  ["redis://h,redis://h:6379", "the same server is given twice"],
  [
    "redis://h,redis+cluster://a",
    "a Cluster cannot be one of several servers: it spreads channels by itself",
  ],
  ["memcached://u:secret@h", 'not a Redis URL: "memcached://…@h"'],
])("%p is none", (given, message) => {
  expect(problem(given)).toBe(message);
});

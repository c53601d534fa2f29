/** Checklist items 26 and 27: remote jobs (gusher.md §5.7, §8, §16). */
import { expect, test } from "bun:test";
import { HubError } from "../../../src/core/errors.ts";
import { bootGusher, GRANT_A, openGusher } from "../../support/gusher.ts";

const remote = (name: string, payload: unknown = { msg: 1 }) => ({
  remote: name,
  uid: "q1",
  payload,
});

test("26: an allowed job is queued, and answered with debug only", async () => {
  await using server = await bootGusher();
  using client = await openGusher(server);
  const socketId = await client.socketId();
  client.send({ event: "gusher.remote", data: remote("chat") });
  for (const debug of ["true", 1, null, false]) {
    client.send({ event: "gusher.remote", debug, data: remote("chat", debug) });
  }
  expect(await client.arrived()).toEqual([]);
  expect(await client.ask("gusher.remote", remote("chat", null), { debug: true })).toEqual({
    event: "gusher.remote_succeeded",
    socket_id: "SID",
    data: { remote: "chat", msg: null },
  });
  const job = (data: string) =>
    `{"user_id":"u1","socket_id":"${socketId}","uid":"q1","app_key":"TEST","data":${data}}`;
  expect(await server.jobs("TEST@chat")).toEqual(
    ['{"msg":1}', '"true"', "1", "null", "false", "null"].map(job),
  );
});

test("the payload is passed on as the JSON it is", async () => {
  await using server = await bootGusher();
  using client = await openGusher(server);
  const payloads = ['"123"', '"a\\"b"', "9007199254740993", '{"b":1,"a":[1,2]}', "1e400"];
  for (const payload of payloads) {
    client.send(
      `{"event":"gusher.remote","data":{"remote":"chat","uid":"","payload": ${payload} }}`,
    );
  }
  await client.arrived();
  const jobs = await server.jobs("TEST@chat");
  expect(jobs.map((job) => /"data":(.*)\}$/.exec(job)?.[1])).toEqual(payloads);
});

test("a remote may have any name, which its grant keeps", async () => {
  await using server = await bootGusher();
  const remotes = JSON.parse('{"__proto__":true}') as Readonly<Record<string, boolean>>;
  using client = await openGusher(server, { ...GRANT_A, remotes });
  expect(await client.ask("gusher.remote", remote("__proto__"), { debug: true })).toMatchObject({
    event: "gusher.remote_succeeded",
  });
  expect(await server.jobs("TEST@__proto__")).toHaveLength(1);
});

test("27: what is not allowed is refused and queued nowhere", async () => {
  await using server = await bootGusher();
  using client = await openGusher(server);
  for (const name of ["off", "nope", "", "__proto__", "constructor"]) {
    expect(await client.ask("gusher.remote", remote(name))).toEqual({
      event: "gusher.remote_error",
      socket_id: "SID",
      data: { remote: name, msg: null },
    });
    expect(await server.jobs(`TEST@${name}`)).toEqual([]);
  }
  using without = await openGusher(server, { ...GRANT_A, remotes: null });
  expect(await without.ask("gusher.remote", remote("chat"))).toMatchObject({
    event: "gusher.remote_error",
  });
});

test("§8: when a job cannot be queued the connection is dropped", async () => {
  await using server = await bootGusher();
  const client = await openGusher(server);
  server.engine.app("TEST").queue.add = () =>
    Promise.reject(new HubError("unavailable", "The queue is away"));
  client.send({ event: "gusher.remote", debug: true, data: remote("chat") });
  expect(await client.ended()).toEqual({ texts: [], code: 1011 });
  expect(server.logged).toContainEqual(
    expect.objectContaining({ dialect: "gusher", doing: "gusher.remote" }),
  );
});

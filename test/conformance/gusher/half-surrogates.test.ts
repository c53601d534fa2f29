/** Names with half a surrogate pair, which UTF-8 has no form for: refused in the protocol's own words wherever one can be said. */
import { expect, test } from "bun:test";
import { bootGusher, GRANT_A, GRANT_Z, jwt, logIn, openGusher } from "../../support/gusher.ts";
import { callMaster, refused } from "../../support/gusher-master.ts";

const HALF = "a\ud800";

test("a channel is not subscribed to, and none of a list with one", async () => {
  await using server = await bootGusher();
  using client = await openGusher(server, GRANT_Z);
  const reply = (event: string, channel: unknown) => ({
    event: `gusher.${event}`,
    socket_id: "SID",
    data: { channel },
  });
  expect(await client.ask("gusher.subscribe", { channel: HALF })).toEqual(
    reply("subscribe_error", HALF),
  );
  const names = ["AA", HALF];
  expect(await client.ask("gusher.multi_subscribe", { multi_channel: names })).toEqual(
    reply("multi_subscribe_error", names),
  );
  await server.publish("AA", 1);
  expect(await client.arrived()).toEqual([]);
});

test("a batch with one is refused whole", async () => {
  await using server = await bootGusher();
  using client = await openGusher(server);
  await client.ask("gusher.subscribe", { channel: "AA" });
  const items = ["AA", HALF].map((channel) => ({ channel, event: "e", data: 1 }));
  const batch_data = JSON.stringify(items);
  expect(await callMaster(server, "/push_batch/TEST", { batch_data })).toEqual(
    refused("data error"),
  );
  expect(await client.arrived()).toEqual([]);
});

test("a user does not log in, and a remote is not granted", async () => {
  await using server = await bootGusher();
  const { status } = await logIn(server, jwt({ gusher: { ...GRANT_A, user_id: HALF } }));
  const { status: invalid } = await logIn(server, "none");
  expect(status).toBe(invalid);
  using client = await openGusher(server, { ...GRANT_A, remotes: { [HALF]: true } });
  const data = { remote: HALF, uid: "", payload: 1 };
  expect(await client.ask("gusher.remote", data)).toMatchObject({ event: "gusher.remote_error" });
});

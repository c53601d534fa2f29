/** A dialect rides on SockJS by naming it: its sessions, the hub's publications and an app's prefix, over every way that it has. */
import { expect, test } from "bun:test";
import { compactJson } from "../../../src/core/json-text.ts";
import { systemRuntime } from "../../../src/system-runtime.ts";
import { Groups } from "../../../src/transports/groups.ts";
import { encodeMessage, messagesFrame } from "../../../src/transports/sockjs/frames.ts";
import { lines } from "../../support/lines-dialect.ts";
import { connectRaw } from "../../support/raw-websocket.ts";
import { bootServer } from "../../support/server.ts";
import { createSockJsServices } from "../../support/sockjs-services.ts";
import { get, openAnswer, post } from "../../support/sockjs.ts";

test("one publication reaches clients of every transport once, in order, behind the answers to their subscribes", async () => {
  await using server = await bootServer({
    dialects: [lines],
    config: { channel: { without_namespace: { history_size: 100, history_ttl: "60s" } } },
  });
  const base = `${server.clientsUrl}/lines/sockjs`;
  const framed = await connectRaw(`${base}/0/a/websocket`);
  const raw = await connectRaw(`${base}/websocket`);
  const plain = await connectRaw(`${server.clientsUrl}/lines`);
  const streamed = await openAnswer(`${base}/0/b/xhr_streaming`, "POST", { "Content-Length": "0" });
  const polled = `${base}/0/c`;
  expect((await framed.next()).text).toBe("o");
  await streamed.next();
  expect(await streamed.next()).toBe("o\n");
  expect((await post(`${polled}/xhr`)).body).toBe("o\n");

  framed.send('["SUB news"]');
  for (const client of [raw, plain]) client.send("SUB news");
  for (const url of [`${base}/0/b`, polled]) await post(`${url}/xhr_send`, '["SUB news"]');
  expect((await framed.next()).text).toBe('a["OK news"]');
  for (const client of [raw, plain]) expect((await client.next()).text).toBe("OK news");
  expect(await streamed.next()).toBe('a["OK news"]\n');
  expect((await post(`${polled}/xhr`)).body).toBe('a["OK news"]\n');

  const said = (n: number) => `MSG news {"n":"\u2028${n}"}`;
  for (let n = 1; n <= 3; n += 1) {
    const data = { json: compactJson(`{"n":"\u2028${n}"}`) };
    await server.hub.publish({ space: "channels", name: "news" }, { data });
  }
  const frame = (n: number) => messagesFrame([encodeMessage(said(n))]);
  for (let n = 1; n <= 3; n += 1) {
    expect((await framed.next()).text).toBe(frame(n));
    for (const client of [raw, plain]) expect((await client.next()).text).toBe(said(n));
    expect(await streamed.next()).toBe(`${frame(n)}\n`);
  }
  const poll = (await post(`${polled}/xhr`)).body;
  expect(JSON.parse(poll.slice(1))).toEqual([said(1), said(2), said(3)]);
  expect(server.sockets()).toBe(5);
  for (const client of [framed, raw, plain]) client.destroy();
  streamed.destroy();
});

test("a message is wrapped once for a group, whatever the number of its sockets", () => {
  let wrapped = 0;
  const published: unknown[] = [];
  const groups = new Groups(systemRuntime, {
    topicPrefix: "sockjs ",
    frame: (messages) => {
      wrapped += 1;
      return messagesFrame(messages.map(encodeMessage));
    },
  });
  groups.start({ publish: (topic, frame) => published.push([topic, frame]) });
  groups.publish("g", "x");
  expect(published).toEqual([["sockjs g", 'a["x"]']]);
  expect(wrapped).toBe(1);
});

test("below an app's prefix the iframe's script is too, and apps do not share sessions", async () => {
  const app = (id: string) => ({ id, path_prefix: `/${id}` });
  await using server = await bootServer({
    dialects: [createSockJsServices()],
    config: { apps: [app("one"), app("two")], api_keys: [], signing_keys: [] },
  });
  const { clientsUrl: url } = server;
  expect((await get(`${url}/one/echo/iframe.html`)).body).toContain(
    '<script src="/one/echo/sockjs-',
  );
  expect((await post(`${url}/one/echo/0/same/xhr`)).body).toBe("o\n");
  expect((await post(`${url}/two/echo/0/same/xhr`)).body).toBe("o\n");
  await post(`${url}/one/echo/0/same/xhr_send`, '["mine"]');
  expect((await post(`${url}/one/echo/0/same/xhr`)).body).toBe('a["mine"]\n');
});

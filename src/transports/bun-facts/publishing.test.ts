/**
 * What the transports and listeners rely on, or work around, in Bun itself: the order of what is published and sent,
 * and topics. A red test here after a new pin says which of our decisions to look at again; it need not be a bug in
 * Bun.
 */
import { describe, expect, test } from "bun:test";
import { text, texts, turn, upTo, useBunServers } from "../../../test/support/bun-servers.ts";

const { serve } = useBunServers();

describe("order", () => {
  test("publish and send reach a socket in call order, text and binary mixed, also across await", async () => {
    const { server, connect } = serve();
    const { client, ws } = await connect();
    ws.subscribe("t");
    for (let at = 0; at < 500; at += 1) {
      const data = at % 3 === 0 ? Buffer.from(text(at)) : text(at);
      if (at % 2 === 0) server.publish("t", data);
      else ws.send(data);
      if (at % 50 === 7) await Promise.resolve();
      if (at % 50 === 9) await turn();
    }
    expect(await texts(client, 500)).toEqual(upTo(500));
  });

  test("publish and send keep call order within a message handler", async () => {
    const { server, connect } = serve({
      message(ws) {
        for (let at = 0; at < 100; at += 1) {
          if (at % 2 === 0) server.publish("t", text(at));
          else ws.send(text(at));
        }
      },
    });
    const { client, ws } = await connect();
    ws.subscribe("t");
    client.send("go");
    expect(await texts(client, 100)).toEqual(upTo(100));
  });

  test("publish, subscribe, send, publish in one tick gives exactly the sent and the second", async () => {
    const { server, connect } = serve();
    const { client, ws } = await connect();
    server.publish("t", "before");
    ws.subscribe("t");
    ws.send("reply");
    server.publish("t", "after");
    expect(await texts(client, 2)).toEqual(["reply", "after"]);
  });

  test("leaving a topic, sending and rejoining in one tick loses and doubles nothing", async () => {
    const { server, connect } = serve();
    const { client, ws } = await connect();
    ws.subscribe("t");
    for (let at = 0; at < 300; at += 3) {
      server.publish("t", text(at));
      ws.unsubscribe("t");
      ws.send(text(at + 1));
      ws.subscribe("t");
      server.publish("t", text(at + 2));
    }
    expect(await texts(client, 300)).toEqual(upTo(300));
  });
});

describe("topics", () => {
  test("ws.publish leaves out only its sender, who need not be subscribed", async () => {
    const { connect } = serve();
    const [one, two] = [await connect(), await connect()];
    one.ws.subscribe("t");
    two.ws.subscribe("t");
    one.ws.publish("t", "by one");
    one.ws.unsubscribe("t");
    one.ws.publish("t", "by a stranger");
    one.ws.send("end");
    expect((await one.client.next()).text).toBe("end");
    expect(await texts(two.client, 2)).toEqual(["by one", "by a stranger"]);
  });

  test("a publish on one listener does not reach another's", async () => {
    const [here, there] = [serve(), serve()];
    const { client, ws } = await here.connect();
    ws.subscribe("t");
    there.server.publish("t", "elsewhere");
    here.server.publish("t", "here");
    expect((await client.next()).text).toBe("here");
  });

  test("ws.subscriptions lists the topics, and a closed socket is in none", async () => {
    const { server, connect } = serve();
    const { ws } = await connect();
    ws.subscribe("a");
    ws.subscribe("b");
    ws.subscribe("a");
    expect(ws.subscriptions.toSorted()).toEqual(["a", "b"]);
    ws.close();
    expect(server.subscriberCount("a")).toBe(0);
  });
});

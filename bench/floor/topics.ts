/**
 * The floor under the server: a bare `Bun.serve` that puts sockets into topics and publishes what it is sent, with no
 * codec, no checks and no limits. What Carillon costs beyond this is Carillon's.
 * A socket's message has a line for each operation, `s <topic>` or `u <topic>`, and each line is answered. `POST`
 * publishes each line of its body, `<topic> <text>`. Prints its port.
 */
const server = Bun.serve({
  hostname: "127.0.0.1",
  port: 0,
  development: false,
  async fetch(request, self) {
    if (request.method !== "POST") {
      return self.upgrade(request) ? undefined : new Response("no WebSocket", { status: 400 });
    }
    for (const line of (await request.text()).split("\n")) {
      const space = line.indexOf(" ");
      self.publish(line.slice(0, space), line.slice(space + 1));
    }
    return new Response("{}");
  },
  websocket: {
    idleTimeout: 0,
    perMessageDeflate: false,
    backpressureLimit: 4 * 1024 * 1024,
    message(ws, message) {
      const lines = String(message).split("\n");
      for (const line of lines) {
        if (line.startsWith("s ")) ws.subscribe(line.slice(2));
        else ws.unsubscribe(line.slice(2));
      }
      ws.send(lines.map(() => "ok").join("\n"));
    },
  },
});
console.log(JSON.stringify({ port: server.port }));

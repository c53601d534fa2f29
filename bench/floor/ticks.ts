/**
 * The floor under sockets that wait for a task: a bare `Bun.serve` that sends each of its sockets one and the same tick every
 * two seconds, a twentieth of them every tenth of a second. Any message is answered with a tick. Prints its port.
 */
const PERIOD_MS = 2000;
const STEP_MS = 100;
const TICK = '{"Error":"","Ticks":"60:00","Message":"","Completed":false}';

const buckets = Array.from({ length: PERIOD_MS / STEP_MS }, () => new Set<Bun.ServerWebSocket>());
let opened = 0;
let walked = 0;

setInterval(() => {
  for (const ws of buckets[walked++ % buckets.length] ?? []) ws.send(TICK, false);
}, STEP_MS);

const ticking = Bun.serve({
  hostname: "127.0.0.1",
  port: 0,
  development: false,
  fetch(request, self) {
    return self.upgrade(request) ? undefined : new Response("no WebSocket", { status: 400 });
  },
  websocket: {
    idleTimeout: 0,
    perMessageDeflate: false,
    message(ws) {
      buckets[opened++ % buckets.length]?.add(ws);
      ws.send(TICK, false);
    },
    close(ws) {
      for (const bucket of buckets) bucket.delete(ws);
    },
  },
});
console.log(JSON.stringify({ port: ticking.port }));

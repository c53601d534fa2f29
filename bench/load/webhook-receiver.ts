/** A receiver of webhooks: answers 204 at once, below `/hang` never. Prints its port. */
const receiver = Bun.serve({
  hostname: "127.0.0.1",
  port: 0,
  idleTimeout: 0,
  async fetch(request) {
    await request.arrayBuffer();
    if (new URL(request.url).pathname.startsWith("/hang")) await new Promise<never>(() => {});
    return new Response(undefined, { status: 204 });
  },
});
console.log(JSON.stringify({ port: receiver.port }));

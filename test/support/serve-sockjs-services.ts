/** Serves the services of SockJS's public test suite until it is ended: `bun test/support/serve-sockjs-services.ts [port]`. */
import { systemRuntime } from "../../src/system-runtime.ts";
import { createClientsListener } from "../../src/transports/listener.ts";
import { createMounts } from "../../src/transports/mounts.ts";
import { serviceRoutes } from "./sockjs-services.ts";

const listener = createClientsListener({
  ...{ hostname: "127.0.0.1", port: Number(process.argv[2] ?? 8081), trustedProxies: [] },
  ...{ routes: serviceRoutes(), runtime: systemRuntime },
  findMount: createMounts([], { app: "dev", exclusive: false }),
  fetch: () => new Response("Not found\n", { status: 404 }),
  onBug: (error, context) => console.error(context, error),
});
console.log(listener.url);

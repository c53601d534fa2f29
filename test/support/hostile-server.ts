/** The server of a file of hostile input: after each test the neighbour is served, nobody else is left, and no bug is in the log. */
import { afterAll, afterEach, beforeAll, expect } from "bun:test";
import { expectNoBugs, startNeighbour, until, type Neighbour } from "./hostile.ts";
import { bootServer, type BootedServer } from "./server.ts";

/** To be called once, at the top of the file. The answer gives the server while tests run. */
export function hostileServer(): () => BootedServer {
  let server: BootedServer;
  let neighbour: Neighbour;

  beforeAll(async () => {
    server = await bootServer();
    neighbour = await startNeighbour(server);
  });

  afterEach(async () => {
    await neighbour.check();
    await until(() => server.sockets() === 1);
    expect(server.hub.stats().connections).toBe(1);
    expectNoBugs(server);
  });

  afterAll(async () => {
    neighbour.close();
    await server[Symbol.asyncDispose]();
  });

  return () => server;
}

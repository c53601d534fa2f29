/** A dialect that is switched off leaves nothing behind: no call, no socket, no word on the index page, no path of the OpenAPI document. */
import { expect, test } from "bun:test";
import { developmentFile } from "../../src/dialects/configuration.ts";
import { bootServer, type BootedServer } from "../support/server.ts";

const SWITCHED = ["events", "gusher", "sora", "tasks"] as const;
type Switched = (typeof SWITCHED)[number];

interface Operation {
  readonly tags: readonly string[];
}
interface Document {
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
}

function boot(off?: Switched): Promise<BootedServer> {
  const { events } = developmentFile();
  return bootServer({
    config: {
      development: false,
      channel: { without_namespace: { dialects: ["streaming"] } },
      tasks: { enabled: off !== "tasks" },
      gusher: { enabled: off !== "gusher" },
      sora: { enabled: off !== "sora", port: 0 },
      events: { ...events, enabled: off !== "events" },
    },
  });
}

const textOf = async (url: string) => (await fetch(url)).text();

async function pathsOf({ apiUrl }: BootedServer): Promise<Document["paths"]> {
  return ((await (await fetch(`${apiUrl}/openapi.json`)).json()) as Document).paths;
}

/** The status of a call that nobody signed. */
async function statusOf({ apiUrl }: BootedServer, path: string, method: string): Promise<number> {
  const url = apiUrl + path.replaceAll(/\{\w+\}/g, "dev");
  return (await fetch(url, { method: method.toUpperCase() })).status;
}

test.each(SWITCHED)("%s leaves nothing where it is switched off", async (name) => {
  await using all = await boot();
  await using others = await boot(name);
  expect(await textOf(all.apiUrl)).toContain(" engine: events, gusher, sora, streaming, tasks\n");
  const rest = [...SWITCHED, "streaming"].filter((other) => other !== name).toSorted();
  expect(await textOf(others.apiUrl)).toContain(` engine: ${rest.join(", ")}\n`);

  const [before, after] = [await pathsOf(all), await pathsOf(others)];
  const gone = Object.keys(before).filter((path) => !(path in after));
  expect(gone).not.toEqual([]);
  for (const path of gone) {
    for (const method of Object.keys(before[path] ?? {})) {
      expect([path, await statusOf(all, path, method)]).not.toEqual([path, 404]);
      expect([path, await statusOf(others, path, method)]).toEqual([path, 404]);
    }
  }
  for (const path of Object.keys(after)) expect(before[path]).toEqual(after[path]);
});

/** Whether a client's socket is opened. */
function opens(server: BootedServer): Promise<boolean> {
  const socket = new WebSocket(`${server.clientsUrl.replace(/^http/, "ws")}/`);
  return new Promise((resolve) => {
    // Without a token it is closed soon after, as the dialect says.
    socket.onopen = () => resolve(true);
    socket.onerror = () => resolve(false);
  });
}

test("a socket of a dialect that is switched off is not opened", async () => {
  await using all = await boot();
  await using without = await boot("tasks");
  expect([await opens(all), await opens(without)]).toEqual([true, false]);
});

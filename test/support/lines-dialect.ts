/**
 * A second dialect, for tests only: lines of text without positions, to show that the seams carry more than one protocol.
 * `SUB c`, `UNSUB c`, `PUB c <json>`; answers `OK …` or `ERR <code>`; publications come as `MSG c <json>`, direct pushes as `YOU <json>`.
 * Over WebSocket, over SockJS below `/sockjs`, and over HTTP as `lines-http.ts` has it.
 */
import { z } from "zod";
import type { BaseConfig } from "../../src/config/schema.ts";
import { HubError, type Disconnect, type DisconnectCode } from "../../src/core/errors.ts";
import type { Connection, Encoder, Hub, Subscriber } from "../../src/core/hub.ts";
import { joinableOptions } from "../../src/core/namespaces.ts";
import type { Frame } from "../../src/core/types.ts";
import { defineDialect } from "../../src/dialects/dialect.ts";
import type { Session, Socket } from "../../src/transports/socket.ts";
import { compactJson } from "../../src/core/json-text.ts";
import { createLinesHttp, type LinesApp } from "./lines-http.ts";

const CLOSE_CODES: Partial<Record<DisconnectCode, number>> = { shutdown: 4001, slow: 4002 };

const encoder: Encoder = {
  name: "lines",
  encode(push) {
    if (push.type === "direct") return "json" in push.data ? `YOU ${push.data.json}` : undefined;
    if (push.type !== "publication") return undefined;
    const { data } = push.publication;
    if ("bytes" in data) return { disconnect: "uncarriable" };
    return `MSG ${push.channel.name} ${data.json}`;
  },
};

type LinesConfig = BaseConfig & { readonly lines: z.output<typeof section> };

const section = z.strictObject({
  enabled: z.boolean().default(false).describe("Serve it. In development mode every dialect is."),
  path: z.string().default("/lines").describe("Where clients connect."),
});

export const lines = defineDialect<LinesConfig>()({
  name: "lines",
  joinsChannels: true,
  sections: { lines: section.prefault({}).describe("The dialect of lines.") },
  keyUses: [],
  reservedSegments: ["lines"],
  scopes: () => [],
  async setUp({ config, apps, runtime }) {
    const { path } = config.lines;
    const messageBytesMax = 4096;
    const served = new Map<string, LinesApp>(
      apps.map(({ config: { id }, hub }) => [
        id,
        {
          hub,
          opening: (user, onClosed) => ({
            ...{ messageBytesMax, bufferedBytesMax: 65_536 },
            open(socket) {
              const client = { connectionId: runtime.random.uuid(), userId: user };
              return new LinesSession(hub, socket, client, onClosed);
            },
          }),
        },
      ]),
    );
    return {
      socketPath: () => path,
      clients: createLinesHttp({ path, apps: served, messageBytesMax, runtime }),
      sockets: ([path, `${path}/sockjs`] as const).map((at) => ({
        path: at,
        transports: [at === path ? "websocket" : "sockjs"],
        messageBytesMax,
        accept: ({ url, mount }) =>
          served.get(mount.app ?? "")?.opening(url.searchParams.get("user") ?? "") ??
          new Response("No app answers here\n", { status: 404 }),
      })),
    };
  },
});

class LinesSession implements Session, Subscriber {
  readonly dialect = "lines";
  readonly encoder = encoder;
  readonly connectionId: string;
  readonly userId: string;
  readonly #hub: Hub;
  readonly #socket: Socket;
  readonly #connection: Connection;

  readonly #onClosed: () => void;

  constructor(
    hub: Hub,
    socket: Socket,
    client: { connectionId: string; userId: string },
    onClosed = () => {},
  ) {
    this.#hub = hub;
    this.#onClosed = onClosed;
    this.#socket = socket;
    this.connectionId = client.connectionId;
    this.userId = client.userId;
    this.#connection = hub.connect(this);
  }

  get unsentBytes(): number {
    return this.#socket.bufferedBytes;
  }

  async receive(frame: Frame): Promise<void> {
    const [verb = "", name = "", ...rest] = String(frame).split(" ");
    try {
      await this.#run(verb, name, rest.join(" "));
    } catch (error) {
      if (!(error instanceof HubError)) throw error;
      this.#socket.send(`ERR ${error.code}`);
    }
  }

  async #run(verb: string, name: string, text: string): Promise<void> {
    const channel = { space: "channels", name };
    if (joinableOptions(this.#hub.namespaces, name, "lines") === undefined) {
      this.#socket.send("ERR unknown_channel");
      return;
    }
    if (verb === "SUB") {
      const { member } = this.#socket;
      const answer = () => this.#socket.send(`OK ${name}`);
      await this.#connection.subscribe(channel, { encoder, member }, answer);
    } else if (verb === "UNSUB") {
      await this.#connection.unsubscribe(channel);
      this.#socket.send(`OK ${name}`);
    } else if (verb === "PUB") {
      await this.#hub.publish(channel, { data: { json: compactJson(text) } });
      this.#socket.send("OK");
    } else throw new HubError("bad_request", "No such verb");
  }

  send(frame: Frame): void {
    this.#socket.send(frame);
  }

  dropped(): void {
    this.#socket.close(4003, "missed");
  }

  signal(): boolean {
    return false;
  }

  disconnect({ disconnect }: Disconnect): void {
    this.#socket.close(CLOSE_CODES[disconnect] ?? 4000, disconnect);
  }

  slow(): void {
    this.disconnect({ disconnect: "slow" });
  }

  failed(): void {
    this.disconnect({ disconnect: "internal_error" });
  }

  shutdown(): void {
    this.disconnect({ disconnect: "shutdown" });
  }

  closed(): void {
    this.#onClosed();
    void this.#connection.close();
  }
}

/** The messaging dialect's raw socket as far as its authentication goes: it opens, says whose it is, and ends with its token. */
import type { MessagingConfig } from "../../src/dialects/messaging/config.ts";
import type { MessagingContext } from "../../src/dialects/messaging/context.ts";
import { labelOf, TOKEN_ENDED, type Bearer } from "../../src/dialects/messaging/auth/contract.ts";
import { contextsOf } from "../../src/dialects/messaging/setup.ts";
import type { Disconnect } from "../../src/core/errors.ts";
import type { Connection, Encoder, Subscriber } from "../../src/core/hub.ts";
import { defineDialect } from "../../src/dialects/dialect.ts";
import type { Session, Socket, SocketRequest } from "../../src/transports/socket.ts";

const encoder: Encoder = { name: "messaging-stub", encode: () => undefined };

export const messagingStub = defineDialect<MessagingConfig>()({
  name: "messaging-stub",
  joinsChannels: false,
  sections: {},
  keyUses: [],
  reservedSegments: [],
  scopes: () => [],
  async setUp(lent) {
    const contexts = contextsOf(lent);
    const contextAt = ({ mount }: Pick<SocketRequest, "mount">) => {
      const context = contexts.get(mount.app ?? "");
      if (context === undefined) throw new Error("The test's address has no app");
      return context;
    };
    return {
      sockets: [
        {
          path: `${lent.config.messaging.path}/websocket`,
          transports: ["websocket"],
          messageBytesMax: 65_536,
          async accept(request) {
            const context = contextAt(request);
            const bearer = await context.gate.admit(request);
            if (bearer instanceof Response) return bearer;
            const open = (socket: Socket) => new StubSession(context, bearer, socket);
            return { open, messageBytesMax: 65_536, bufferedBytesMax: 65_536 };
          },
        },
      ],
    };
  },
});

class StubSession implements Session, Subscriber {
  readonly dialect = "messaging";
  readonly encoder = encoder;
  readonly connectionId: string;
  readonly userId: string;
  readonly #socket: Socket;
  readonly #connection: Connection;

  constructor({ hub, gate, runtime }: MessagingContext, bearer: Bearer, socket: Socket) {
    this.connectionId = runtime.random.uuid();
    this.userId = bearer.subscriber;
    this.#socket = socket;
    this.#connection = hub.connect(this);
    this.#connection.label(labelOf(bearer));
    const look = async (): Promise<void> => {
      if (!(await gate.holds(bearer))) return this.disconnect(TOKEN_ENDED);
      const nextMs = Math.min(
        bearer.recheckMs ?? Infinity,
        bearer.expiresMs - runtime.clock.epochMs(),
      );
      if (nextMs < Infinity) runtime.timers.after(nextMs, () => void look());
    };
    void look();
  }

  receive(): void {
    this.#socket.send(JSON.stringify({ type: "identity", subscriber: { id: this.userId } }));
  }

  disconnect({ wire }: Disconnect): void {
    this.#socket.close(wire?.code ?? 1011, wire?.reason ?? "");
  }

  closed(): void {
    void this.#connection.close();
  }

  shutdown = (): void => this.#socket.close(1001, "Going away");
  slow = (): void => this.#socket.close(4408, "Slow consumer");
  failed = (): void => this.#socket.close(1011, "");
  send = (): void => {};
  dropped = (): void => {};
  signal = (): boolean => false;
}

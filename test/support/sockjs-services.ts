/**
 * The services that SockJS's public test suite asks for (sockjs.md §1.2), as a dialect for tests: `/echo`, `/disabled_websocket_echo`,
 * `/cookie_needed_echo` and `/close`. `/tokens` wants `access_token=<name>.<anything>`, of which the name is the subscriber.
 */
import { z } from "zod";
import type { BaseConfig } from "../../src/config/schema.ts";
import { defineDialect } from "../../src/dialects/dialect.ts";
import type { Frame } from "../../src/core/types.ts";
import type {
  OpenSession,
  Session,
  SocketRequest,
  SocketRoute,
  SockJsRoute,
  Socket,
} from "../../src/transports/socket.ts";

type ServicesConfig = BaseConfig & { readonly sockjs_services: z.output<typeof section> };

const section = z.strictObject({
  enabled: z.boolean().default(true).describe("Serve them."),
});

/** What the services are watched by. */
export interface ServicesWatch {
  readonly opened?: (session: EchoSession) => void;
  /** Tokens that hold no more. */
  readonly ended?: ReadonlySet<string>;
}

export const MESSAGE_BYTES_MAX = 2 * 1024 * 1024;
export const BUFFERED_BYTES_MAX = 4 * 1024 * 1024;

export function createSockJsServices(watch: ServicesWatch = {}) {
  return defineDialect<ServicesConfig>()({
    name: "sockjs_services",
    joinsChannels: false,
    sections: { sockjs_services: section.prefault({}).describe("Services for tests.") },
    keyUses: [],
    reservedSegments: ["echo", "disabled_websocket_echo", "cookie_needed_echo", "close", "tokens"],
    scopes: () => [],
    async setUp() {
      return { sockets: serviceRoutes(watch) };
    },
  });
}

export function serviceRoutes(watch: ServicesWatch = {}): readonly SocketRoute[] {
  const sessionsOf = (open: (socket: Socket) => EchoSession): OpenSession => ({
    ...{ messageBytesMax: MESSAGE_BYTES_MAX, bufferedBytesMax: BUFFERED_BYTES_MAX },
    open(socket) {
      const session = open(socket);
      watch.opened?.(session);
      return session;
    },
  });
  const echo = sessionsOf((socket) => new EchoSession(socket));
  const service = (path: string, opening: OpenSession, sockjs: SockJsRoute = {}): SocketRoute => ({
    ...{ path, transports: ["sockjs"], messageBytesMax: MESSAGE_BYTES_MAX, sockjs },
    accept: () => opening,
  });
  const closing = sessionsOf((socket) => {
    const session = new EchoSession(socket);
    socket.close(3000, "Go away!");
    return session;
  });
  return [
    service("/echo", echo, { responseBytesMax: 4096 }),
    service("/disabled_websocket_echo", echo, { disabled: ["websocket"] }),
    service("/cookie_needed_echo", echo, { cookie: true }),
    service("/close", closing),
    {
      ...service("/tokens", echo, {
        admitInfo: (asked) =>
          asked.url.searchParams.has("access_token") ? refuse(asked, watch) : undefined,
      }),
      accept(asked) {
        const subscriber = subscriberOf(asked);
        return (
          refuse(asked, watch) ?? {
            ...echo,
            holder: subscriber,
            admit: (later) => refuse(later, watch, subscriber),
          }
        );
      },
    },
  ];
}

function subscriberOf({ url }: SocketRequest): string {
  return (url.searchParams.get("access_token") ?? "").split(".")[0] ?? "";
}

function refuse(
  asked: SocketRequest,
  { ended }: ServicesWatch,
  subscriber = subscriberOf(asked),
): Response | undefined {
  const token = asked.url.searchParams.get("access_token");
  if (token === null || ended?.has(token) === true || !token.includes(".")) {
    return Response.json({ error: "invalid_token" }, { status: 401 });
  }
  if (subscriberOf(asked) === subscriber) return undefined;
  return Response.json({ error: "insufficient_scope" }, { status: 403 });
}

export class EchoSession implements Session {
  readonly socket: Socket;
  readonly received: Frame[] = [];
  readonly ends: { readonly code: number; readonly reason: string }[] = [];
  /** In place of the echo. */
  onReceive: ((frame: Frame) => void | Promise<void>) | undefined;
  onClosed: (() => void) | undefined;

  constructor(socket: Socket) {
    this.socket = socket;
  }

  receive(frame: Frame): void | Promise<void> {
    this.received.push(frame);
    if (this.onReceive !== undefined) return this.onReceive(frame);
    this.socket.send(frame);
    return undefined;
  }

  slow(): void {
    this.socket.close(3001, "slow");
  }

  failed(): void {
    this.socket.close(3002, "failed");
  }

  shutdown(): void {
    this.socket.close(1001, "Going away");
  }

  closed(code: number, reason: string): void {
    this.ends.push({ code, reason });
    this.onClosed?.();
  }
}

/** What the transport's cases share: the transport under test, a new one for each case, and clients connected to it. */
import { afterEach, beforeEach } from "bun:test";
import type { Fanout, GroupAudience, GroupMember } from "../../../src/core/fanout.ts";
import type { Frame } from "../../../src/core/types.ts";
import type { Session, Socket } from "../../../src/transports/socket.ts";
import type { TestRuntime } from "../../support/runtime.ts";
import { RecordingSession } from "./recording-session.ts";

/** The other end of a connection. Messages are a session's frames, whatever the transport wraps them in. */
export interface TransportClient {
  send(message: Frame): void;
  /** The next message; rejects once the connection ended without one. */
  next(): Promise<Frame>;
  /** How the server ended the connection, behind all messages before it; those not taken by `next` are in `messages`. */
  ended(): Promise<{
    readonly code: number;
    readonly reason: string;
    readonly messages: readonly Frame[];
  }>;
  close(code: number, reason: string): void;
  /** Stops reading until `resume`. */
  pause(): void;
  resume(): void;
}

export interface TransportUnderTest {
  readonly fanout: Fanout;
  readonly runtime: TestRuntime;
  /** What was reported as a bug so far. */
  readonly bugs: readonly unknown[];
  connect(
    open: (socket: Socket) => Session,
    limits: { readonly messageBytesMax: number; readonly bufferedBytesMax: number },
  ): Promise<TransportClient>;
  close(): Promise<void>;
}

export interface TransportTraits {
  /** Whether frames of bytes are carried; text always is. */
  readonly binary: boolean;
  /** Whether a client's end has a code. Default: it has. */
  readonly clientCodes?: boolean;
  /** Bytes that the transport adds to each short message before it waits. Default: none. */
  readonly framingBytes?: number;
}

export const LIMITS = { messageBytesMax: 65_536, bufferedBytesMax: 1024 * 1024 };

/** As the core publishes: whom it goes to is known, here to be anybody. */
const EVERYBODY: GroupAudience = { size: Infinity, members: () => [] };

export type TransportSuite = ReturnType<typeof useTransport>;

/** Creates a transport before each case of the suite that calls this, and closes it behind the case. */
export function useTransport(create: () => Promise<TransportUnderTest>) {
  let transport: TransportUnderTest;
  beforeEach(async () => {
    transport = await create();
  });
  afterEach(() => transport.close());

  async function connect(limits: Partial<typeof LIMITS> = {}) {
    let session: RecordingSession | undefined;
    const client = await transport.connect(
      (socket) => {
        session = new RecordingSession(socket);
        return session;
      },
      { ...LIMITS, ...limits },
    );
    if (session === undefined) throw new Error("The session was not opened");
    return { client, session, socket: session.socket, member: session.member };
  }

  const publish = (group: string, frame: Frame, except?: GroupMember) =>
    transport.fanout.publish(group, frame, except, EVERYBODY);

  /** Takes messages up to and with `last`. */
  async function until(client: TransportClient, last: string): Promise<Frame[]> {
    const messages: Frame[] = [];
    while (messages.at(-1) !== last) messages.push(await client.next());
    return messages;
  }

  return {
    /** That of the running case. */
    get transport() {
      return transport;
    },
    create,
    connect,
    publish,
    until,
  };
}

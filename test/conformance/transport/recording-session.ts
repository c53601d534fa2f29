/** The session that tests of transports open. */
import type { GroupMember } from "../../../src/core/fanout.ts";
import type { Frame } from "../../../src/core/types.ts";
import type { Session, Socket } from "../../../src/transports/socket.ts";

/** Records what the transport calls. Without a behaviour of its own it answers nothing. */
export class RecordingSession implements Session {
  readonly received: Frame[] = [];
  readonly ends: { readonly code: number; readonly reason: string }[] = [];
  slowCalls = 0;
  failedCalls = 0;
  onReceive: (frame: Frame) => unknown = () => {};
  readonly socket: Socket;
  readonly ended: Promise<void>;
  #end: () => void = () => {};

  constructor(socket: Socket) {
    this.socket = socket;
    this.ended = new Promise((resolve) => {
      this.#end = resolve;
    });
  }

  get member(): GroupMember {
    return this.socket.member;
  }

  receive(frame: Frame): void | Promise<void> {
    this.received.push(frame);
    const pending = this.onReceive(frame);
    return pending instanceof Promise ? pending.then(() => {}) : undefined;
  }

  slow(): void {
    this.slowCalls += 1;
    this.socket.close(3008, "slow");
  }

  failed(): void {
    this.failedCalls += 1;
    this.socket.close(3004, "internal");
  }

  shutdown(): void {
    this.socket.close(3001, "shutdown");
  }

  closed(code: number, reason: string): void {
    this.ends.push({ code, reason });
    this.#end();
  }
}

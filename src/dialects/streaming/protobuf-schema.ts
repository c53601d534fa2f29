/** The two message types of the Protobuf encoding, compiled once. The only file that knows the Protobuf library. */
import { lazy } from "../../core/lazy.ts";
import { CLIENT_PROTO } from "./client-proto.ts";
import { MalformedFrame } from "./protocol.ts";

/** Made for the first message: library and schema are a tenth of a start, and many servers' clients speak JSON alone. */
const schema = lazy(() => {
  const { Root, Writer, parse } = require("protobufjs") as typeof import("protobufjs");
  // A root of our own: the library's shared one, and its configuration, belong to everybody in the process.
  const { root } = parse(CLIENT_PROTO, new Root(), { keepCase: true });
  const named = (name: string) => root.lookupType(`centrifugal.centrifuge.protocol.${name}`);
  return { command: named("Command"), reply: named("Reply"), Writer };
});

/** The fields of one Command message. Throws MalformedFrame on bytes that are none, invalid UTF-8 in a string included. */
export function readCommand(message: Uint8Array): Fields {
  const { command } = schema();
  try {
    return new Fields(command.decode(message));
  } catch (error) {
    // The library throws errors of many kinds: whatever it makes of hostile bytes is the frame's fault.
    throw new MalformedFrame("The message is not a valid command", { cause: error });
  }
}

/** A Reply message behind its length. Zero values are left out. */
export function writeReply(fields: Readonly<Record<string, unknown>>): Uint8Array {
  const { reply, Writer } = schema();
  return reply.encode(fields, Writer.create().fork()).ldelim().finish();
}

/** A decoded message: the library's schema-checked but untyped objects, read by kind. Zero stands for absent, as in proto3. */
export class Fields {
  readonly #message: object;

  constructor(message: object) {
    this.#message = message;
  }

  string(name: string): string {
    const value = this.#own(name);
    return typeof value === "string" ? value : "";
  }

  boolean(name: string): boolean {
    return this.#own(name) === true;
  }

  /** A 64-bit number comes as the library's Long where that package is installed. Throws MalformedFrame where it would not be exact. */
  integer(name: string): number {
    const value = this.#own(name);
    const number = isLong(value) ? value.high * 2 ** 32 + (value.low >>> 0) : (value ?? 0);
    if (!Number.isSafeInteger(number)) throw new MalformedFrame(`"${name}" is not exact`);
    return Number(number);
  }

  /** A copy, so that a kept payload does not hold its frame. */
  bytes(name: string): Uint8Array | undefined {
    const value = this.#own(name);
    return value instanceof Uint8Array ? new Uint8Array(value) : undefined;
  }

  has(name: string): boolean {
    return this.#own(name) !== undefined;
  }

  message(name: string): Fields | undefined {
    const value = this.#own(name);
    return typeof value === "object" && value !== null ? new Fields(value) : undefined;
  }

  /** The entries of a map of messages. */
  messages(name: string): [string, Fields][] {
    const map = this.#own(name);
    if (typeof map !== "object" || map === null) return [];
    return Object.entries(map).map(([key, value]) => [key, new Fields(value)]);
  }

  #own(name: string): unknown {
    return Object.hasOwn(this.#message, name) ? Reflect.get(this.#message, name) : undefined;
  }
}

function isLong(
  value: unknown,
): value is { readonly low: number; readonly high: number; readonly unsigned: boolean } {
  return typeof value === "object" && value !== null && "low" in value && "high" in value;
}

/** Hostile frames of streaming's clients: what is sent, and what the connection has seen when it is over. */
import { ending, openClient, type Ending, type Format } from "./hostile.ts";
import type { RawWebSocket } from "./raw-websocket.ts";

export interface Case {
  readonly name: string;
  /** Default: json. */
  readonly format?: Format;
  /** Before any connect command. */
  readonly fresh?: true;
  readonly act: (client: RawWebSocket) => void;
}

/** A command that is answered whatever else happens, while the connection lives. */
export const RPC = '{"id":9,"rpc":{"method":"x"}}';

/** Of a hexadecimal text, which may have spaces. */
export const bytes = (hex: string) => Buffer.from(hex.replaceAll(" ", ""), "hex");

export const nested = (levels: number) => `${"[".repeat(levels)}${"]".repeat(levels)}`;

export function text(name: string, frame: string, options: Partial<Case> = {}): Case {
  return { name, act: (client) => client.send(frame), ...options };
}

export function protobuf(name: string, hex: string, options: Partial<Case> = {}): Case {
  return { name, format: "protobuf", act: (client) => client.send(bytes(hex)), ...options };
}

export async function endOf(
  server: { readonly websocketUrl: string },
  { format, fresh, act }: Case,
): Promise<Ending> {
  const client = await openClient(server, {
    ...(format === undefined ? {} : { format }),
    connected: fresh !== true,
  });
  act(client);
  return ending(client);
}

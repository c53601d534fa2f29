/** What is measured: the server and the floors and peers beside it, each as what load needs to know of it. */
import type { ChildProcess } from "./processes.ts";

/** How a connection joins channels. The lines and texts are those of `SubscribersSpec`. */
export interface Joining {
  readonly init: readonly string[];
  readonly texts?: readonly string[];
  readonly replies: number;
}

export interface Publishing {
  readonly host: string;
  readonly port: number;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  body(channel: string, data: string): string;
}

export interface Target extends AsyncDisposable {
  readonly name: string;
  readonly process: ChildProcess;
  readonly sockets: { readonly host: string; readonly port: number; readonly path: string };
  /** `channel` may hold `%d`, the connection's number. */
  join(channel: string): Joining | Promise<Joining>;
  /** Those beside `process` that serve with it, whose processor time counts. */
  readonly others?: readonly ChildProcess[];
  /** Absent: it sends by itself. */
  readonly publishing?: Publishing;
}

/** Of all of its processes, so far. */
export function cpuOf({ process, others = [] }: Target): number {
  return [process, ...others].reduce((sum, each) => sum + each.cpuSeconds(), 0);
}

export type StartTarget = () => Promise<Target>;

const HOST = "127.0.0.1";

export const LOOPBACK = HOST;

/** JSON of exactly `bytes` with the holes that publishers fill. */
export function payload(bytes: number): string {
  const empty = '{"n":@nnnnnnnnnn,"t":@ttttttttttttttt,"d":""}';
  return empty.replace('""', `"${"x".repeat(bytes - empty.length)}"`);
}

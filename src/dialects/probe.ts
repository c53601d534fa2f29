/** How a dialect's client is played against a running server: it connects, receives what is published, and comes back. */
import type { BaseConfig } from "../config/schema.ts";
import type { AskedToken } from "./token-command.ts";

/** What a running server is probed with. */
export interface AskedProbe<Config extends BaseConfig = BaseConfig> extends Omit<
  AskedToken<Config>,
  "options" | "post"
> {
  /** Without a body it is a GET. Fails when there is no answer; any status is one. */
  readonly post: (
    url: URL,
    call: { readonly headers: Readonly<Record<string, string>>; readonly body?: string },
  ) => Promise<{ readonly status: number; readonly body: string }>;
  /** Of the `clients` listener, with the app's prefix. Neither has a slash at its end. */
  readonly clientsUrl: string;
  /** An API key of the server. Absent: calls go without one. */
  readonly key: string | undefined;
  /** A client's token that was given; absent: one is made, where the configuration has a secret. */
  readonly token: string | undefined;
  /** In place of one that is chosen by `probeChannel`. */
  readonly channel: string | undefined;
  /** Answers a WebRTC offer as a browser does, by the SDP of its answer. The peer is there until the check ends. */
  readonly answerOffer: (sdp: string) => Promise<string>;
  /** Letters and digits of this run alone: in the names of what it makes. */
  readonly mark: string;
}

/** What one frame from the server says. */
export type Heard =
  /** The client is connected, and receives. `silenceMs`: the server is never silent for longer. */
  | { readonly kind: "ready"; readonly silenceMs?: number }
  /** Text that was published stands in it. */
  | { readonly kind: "published"; readonly text: string }
  /** A frame that has to be answered, by this one. */
  | { readonly kind: "answer"; readonly frame: string | Promise<string> }
  | { readonly kind: "refused"; readonly reason: string };

/** One client, over one or more connections in turn. */
export interface ProbeClient {
  /** Below `clientsUrl`. */
  readonly path: string;
  /** Sent once it is open; `again`: after a cut. */
  hello(again: boolean): readonly string[];
  read(frame: string): Iterable<Heard>;
  /** Has this text reach the client. Absent: nothing can be published. Throws ProbeSkipped or ProbeRefused. */
  publish?(text: string): Promise<void>;
  /** What was published while it was cut off arrives once it is back. Known once it is ready. */
  readonly recovers: boolean;
  /** Below `clientsUrl`: an answer to GET whose first bytes come at once and whose end does not. */
  readonly streamPath?: string;
  /** Takes away what was made for it. */
  close?(): Promise<void>;
}

export interface Probe<Config extends BaseConfig = BaseConfig> {
  /** Readies a client, which connects to nothing yet. Throws ProbeSkipped or ProbeRefused. */
  prepare(asked: AskedProbe<Config>): Promise<ProbeClient>;
}

/** It cannot be tried with what was given. The message says what to give. */
export class ProbeSkipped extends Error {
  override readonly name = "ProbeSkipped";
}

/** The server refused a call. The message is its own. */
export class ProbeRefused extends Error {
  override readonly name = "ProbeRefused";
  readonly status: number;
  /** By an API key, or of a client by its token. */
  readonly of: "call" | "login";

  constructor(status: number, message: string, of: "call" | "login" = "call") {
    super(message);
    this.status = status;
    this.of = of;
  }
}

/** A channel of this run that the dialect's clients may join. */
export function probeChannel(
  { config, channel, mark }: AskedProbe,
  dialect: string,
  admits: (settings: object) => boolean = () => true,
): string {
  return channel ?? openChannel(config, dialect, `carillon-doctor-${dialect}-${mark}`, admits);
}

/** That name in a namespace that the dialect's clients may join; best one that keeps history. */
export function openChannel(
  { channel, development }: BaseConfig,
  dialect: string,
  name: string,
  admits: (settings: object) => boolean = () => true,
): string {
  const [best] = channel.namespaces
    .filter((each) => (each.dialects ?? []).includes(dialect) && admits(each))
    .toSorted((a, b) => Number(b.history_size > 0) - Number(a.history_size > 0));
  if (best !== undefined) return `${best.name}:${name}`;
  const { dialects = development ? [dialect] : [] } = channel.without_namespace;
  if (dialects.includes(dialect) && admits(channel.without_namespace)) return name;
  throw new ProbeSkipped("No channel of the configuration is open to it: name one by --channel");
}

/** Runs a call and answers its body. Throws ProbeRefused with the answer's first line for any other status. */
export async function callApi(
  { post, apiUrl, key }: AskedProbe,
  path: string,
  { body, headers }: { readonly body: string; readonly headers?: Readonly<Record<string, string>> },
): Promise<string> {
  const credential = key === undefined ? {} : { "x-api-key": key };
  const url = new URL(apiUrl + path);
  const answer = await post(url, { headers: { ...credential, ...headers }, body });
  if (answer.status < 300) return answer.body;
  if (answer.status === 401 && key === undefined) {
    throw new ProbeSkipped("Nothing was published: that needs an API key, by --key");
  }
  throw new ProbeRefused(answer.status, shortened(answer.body));
}

const SHOWN_CHARACTERS = 160;

/** What a person needs to see of an answer that was not expected. */
export function shortened(body: string): string {
  return (body.trim().split("\n", 1)[0] ?? "").slice(0, SHOWN_CHARACTERS);
}

/** Requests of sessions that HTTP carries: who may make them, and what receiving and sending ones are answered (sockjs.md §5, §7). */
import type { Schedule } from "../../core/schedule.ts";
import type { QueuedContext } from "../queued-socket.ts";
import type { TakenBody } from "../clients-bodies.ts";
import { BODY_REFUSALS, type BodyRefusal } from "../request.ts";
import type { OpenSession, SocketRequest } from "../socket.ts";
import type { StreamedRequest } from "../answer-stream.ts";
import { refusal, sessionHeaders, text } from "./answers.ts";
import { createFormats, type Format } from "./frames.ts";
import { arrayBytesMax, readArray, type ArrayFault } from "./messages.ts";
import type { Place, Receiving, Sending } from "./paths.ts";
import { Receiver } from "./receiver.ts";
import type { Service } from "./service.ts";
import { SockJsSession } from "./session.ts";
import { holderOf, Sessions, type TooMany } from "./sessions.ts";

/** Bytes of the body of a receiving request, which means nothing. */
const RECEIVING_BODY_BYTES_MAX = 4_096;
/** Characters of a callback's name: what the client makes up has about ten. */
const CALLBACK_CHARACTERS_MAX = { jsonp: 32, htmlfile: 128 } as const;

/** sockjs.md §7.7; `too_many` is ours. */
const ARRAY_FAULTS = {
  empty: { status: 500, body: "Payload expected." },
  broken: { status: 500, body: "Broken JSON encoding." },
  no_array: { status: 500, body: "Payload expected." },
  too_many: { status: 413, body: "Too many messages in one request: send fewer." },
} as const satisfies Readonly<Record<ArrayFault, { status: number; body: string }>>;

const TOO_MANY = {
  of_holder: { status: 429, body: "Too many sessions: close some first." },
  new: { status: 503, body: "Too many sessions wait for their clients: try again." },
} as const satisfies Readonly<Record<TooMany, { status: number; body: string }>>;

export interface CarriedRequest extends StreamedRequest {
  readonly service: Service;
  readonly asked: SocketRequest;
  readonly body: TakenBody;
  readonly contentType: string;
}

export interface CarriedOptions {
  readonly context: QueuedContext;
  readonly schedule: Schedule;
  /** False: new sessions are refused. */
  readonly accepting: () => boolean;
}

type MaybePromise<Value> = Value | Promise<Value>;
type SessionPlace<Kind> = Extract<Place, { kind: Kind }>;

export class Carried {
  readonly sessions = new Sessions();
  readonly #options: CarriedOptions;
  readonly #formats = createFormats();

  constructor(options: CarriedOptions) {
    this.#options = options;
  }

  async receive(place: SessionPlace<"receive">, request: CarriedRequest): Promise<Response> {
    const { service, asked } = request;
    const key = Sessions.key(service, asked.mount.app, place.session);
    const known = this.sessions.find(key);
    const answer = await decide(known, request);
    const refused = answer instanceof Response ? answer : undefined;
    // It means nothing, and the answer may take long.
    const body = refused ? undefined : await request.body.read(RECEIVING_BODY_BYTES_MAX);
    request.body.release();
    // Others may have come and gone while it was decided.
    const session = this.sessions.find(key);
    if (session !== known) return this.receive(place, request);
    const tellsEnd = refused?.status === 401 && session?.end !== undefined;
    if (refused !== undefined && !tellsEnd) return refusal(refused, service, asked);
    const headers = sessionHeaders(service, asked);
    if (typeof body === "string") return unread(body, headers);
    const format = this.#format(place.transport, asked);
    if (typeof format === "string") return text(500, format, headers);
    const { clock } = this.#options.context;
    const bytesMax = service.settings.responseBytesMax;
    const receiver = () => new Receiver({ request, format, headers, bytesMax, clock });
    if (session !== undefined) {
      this.sessions.met(key);
      return tellsEnd ? closed(receiver(), session.end) : this.#continue(session, receiver());
    }
    if (answer === undefined || answer instanceof Response) return text(404, "", headers);
    if (!this.#options.accepting()) return text(503, "shutting down\n", headers);
    const holder = holderOf(answer, asked.mount.app);
    const tooMany = this.sessions.refuses(holder);
    if (tooMany !== undefined) {
      const { status, body: words } = TOO_MANY[tooMany];
      return text(status, words, headers);
    }
    const response = this.#open(key, holder, { service, opening: answer }, receiver());
    if (format.prelude !== undefined) this.sessions.met(key);
    return response;
  }

  #open(
    key: string,
    holder: string | undefined,
    of: { readonly service: Service; readonly opening: OpenSession },
    receiver: Receiver,
  ): Promise<Response> {
    const { context, schedule } = this.#options;
    const onForgotten = () => this.sessions.delete(key, holder);
    const session = new SockJsSession({ ...of, context, schedule, onForgotten });
    this.sessions.add(key, holder, session);
    session.begin(receiver);
    return receiver.response;
  }

  async send(place: SessionPlace<"send">, request: CarriedRequest): Promise<Response> {
    const { service, asked } = request;
    const key = Sessions.key(service, asked.mount.app, place.session);
    const known = this.sessions.find(key);
    const answer = await decide(known, request);
    if (this.sessions.find(key) !== known) return this.send(place, request);
    if (answer instanceof Response) return refusal(answer, service, asked);
    const headers = sessionHeaders(service, asked);
    const body = await request.body.read(bodyBytesMax(service, place));
    if (typeof body === "string") return unread(body, headers);
    const messages = readArray(payload(place.transport, body, request.contentType));
    if (typeof messages === "string") {
      const { status, body: words } = ARRAY_FAULTS[messages];
      return text(status, words, headers);
    }
    // The one that let it in, not one that got its id meanwhile.
    if (known === undefined || this.sessions.find(key) !== known) return text(404, "", headers);
    this.sessions.met(key);
    const taken = known.sent(messages);
    if (taken === false) {
      return text(429, "The session has too much to handle: send again later.", headers);
    }
    await taken;
    if (place.transport === "jsonp_send") return text(200, "ok", headers);
    return new Response(null, {
      status: 204,
      headers: { "Content-Type": "text/plain; charset=UTF-8", ...headers },
    });
  }

  #continue(session: SockJsSession, receiver: Receiver): Promise<Response> {
    if (session.receives) {
      return closed(receiver, { code: 2010, reason: "Another connection still open" });
    }
    session.continue(receiver);
    return receiver.response;
  }

  /** Or what is wrong with its callback. */
  #format(transport: Receiving, { url }: SocketRequest): Format | string {
    const formats = this.#formats;
    if (transport !== "htmlfile" && transport !== "jsonp") return formats[transport];
    const callback = url.searchParams.get("c") ?? url.searchParams.get("callback") ?? "";
    if (callback === "") return '"callback" parameter required';
    const allowed = /^[-a-zA-Z0-9_.]+$/.test(callback);
    if (!allowed || callback.length > CALLBACK_CHARACTERS_MAX[transport]) {
      return 'invalid "callback" parameter';
    }
    return formats[transport](callback);
  }
}

export function bodyBytesMax({ route }: Service, { kind }: Place): number {
  return kind === "send" ? arrayBytesMax(route) : RECEIVING_BODY_BYTES_MAX;
}

function unread(refusal: BodyRefusal, headers: Readonly<Record<string, string>>): Response {
  const { status, text: words } = BODY_REFUSALS[refusal];
  return text(status, words, headers);
}

/** A Response refuses; undefined lets a request of a known session through. */
function decide(
  session: SockJsSession | undefined,
  { service, asked }: CarriedRequest,
): MaybePromise<Response | OpenSession | undefined> {
  return session === undefined ? service.route.accept(asked) : session.admit?.(asked);
}

function closed(
  receiver: Receiver,
  end: { readonly code: number; readonly reason: string } | undefined,
): Promise<Response> {
  if (end !== undefined) receiver.close(end.code, end.reason);
  return receiver.response;
}

/** In UTF-8, whatever is declared. */
function payload(transport: Sending, body: Uint8Array, contentType: string): string {
  const sent = Buffer.from(body).toString();
  if (transport === "xhr_send" || !/^application\/x-www-form-urlencoded/i.test(contentType)) {
    return sent;
  }
  return new URLSearchParams(sent).get("d") ?? "";
}

/** The contract between the HTTP listeners and dialects, beside `socket.ts`: whose a request is, and how its body is had. */

/** Why a body is not had. */
export type BodyRefusal = "too_large" | "compressed" | "busy" | "cut";

/** What HTTP says of them, and by which word they are told; a dialect may have a form of its own. */
export const BODY_REFUSALS = {
  too_large: { word: "too_large", status: 413, text: "The body is too large" },
  compressed: {
    word: "unsupported_media_type",
    status: 415,
    text: "The body is compressed: send it without Content-Encoding",
  },
  busy: {
    word: "unavailable",
    status: 503,
    text: "The server holds as many bodies as it may: send the call again",
  },
  cut: { word: "bad_request", status: 400, text: "The body did not arrive whole" },
} as const satisfies Readonly<Record<BodyRefusal, { word: string; status: number; text: string }>>;

/**
 * The whole body, empty without one. Of one that says it is larger than `bytesMax` nothing is read; so a caller's right is
 * judged before. Asked again, it gives the same, with another bound.
 */
export type ReadBody = (bytesMax: number) => Promise<Uint8Array | BodyRefusal>;

/** Whose a request is, by its host and path. */
export interface Mount {
  /** The app; undefined: no app answers there. */
  readonly app: string | undefined;
  /** The host or the path is this app's own: a request there that names another app is nobody's. */
  readonly exclusive: boolean;
}

/** Whether a request to this mount may be about the app. */
export function serves({ app, exclusive }: Mount, named: string): boolean {
  return !exclusive || app === named;
}

/** Of what each app has, what a request to this mount may be about. */
export function servedAt<Value>(
  byApp: ReadonlyMap<string, Value>,
  mount: Mount,
): ReadonlyMap<string, Value> {
  return mount.exclusive ? new Map([...byApp].filter(([app]) => app === mount.app)) : byApp;
}

/** Undefined for what is not percent-encoded UTF-8, and for an encoded `/`: matching is on the decoded path. */
export function decodeSegment(segment: string): string | undefined {
  if (!segment.includes("%")) return segment;
  try {
    const text = decodeURIComponent(segment);
    return text.includes("/") ? undefined : text;
  } catch {
    return undefined;
  }
}

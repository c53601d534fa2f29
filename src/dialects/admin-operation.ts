/** The contract between dialects and the admin API: calls that a dialect adds below `/admin/api/`, as functions with schemas. */
import { z } from "zod";
import type { CompactJson } from "../core/json-text.ts";
import type { Page, PageQuery } from "../core/pages.ts";
import type { Examples } from "./openapi-examples.ts";

/** Rows of a page, and those of one that does not say. */
export const ADMIN_PAGE_ROWS_MAX = 250;
const ADMIN_PAGE_ROWS = 50;

/** What an operation refuses by; what the core refuses by is a HubError, which may be thrown as it is. */
export type AdminErrorCode = "bad_request" | "not_found" | "conflict" | "limit_exceeded";

/** Its message is for the caller and the log: it says what to do, and repeats no value of the request. */
export class AdminError extends Error {
  readonly code: AdminErrorCode;

  constructor(code: AdminErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

export interface AdminCall<Request = unknown> {
  /** Whose the call is: nothing of another app is to be read or done. */
  readonly app: string;
  /** The caller may see what the server cannot tell to be any app's. */
  readonly seesServer: boolean;
  /** As its schema gives it. */
  readonly request: Request;
}

/** Of the call's app, which is one that is served. `missing`: what is thrown where a dialect serves some of them alone. */
export function ofApp<Context>(
  contexts: ReadonlyMap<string, Context>,
  { app }: Pick<AdminCall, "app">,
  missing = () => new Error(`No app "${app}"`),
): Context {
  const context = contexts.get(app);
  if (context === undefined) throw missing();
  return context;
}

/** An answer that is JSON text already, since it holds payloads as they were published. */
export class JsonText {
  readonly json: string;

  constructor(json: string) {
    this.json = json;
  }
}

export interface AdminOperation {
  /** A GET changes nothing, and takes its request from the query; a POST from a JSON body. */
  readonly method: "GET" | "POST";
  /** Below `/admin/api/`: words and `/`. What a call is about is in its request, so that any name can be said. */
  readonly path: string;
  readonly summary: string;
  /** Bounded with all calls of the app that publish. */
  readonly publishes?: boolean;
  readonly request: z.ZodObject;
  /** Members of a body that are handed over as text: `jsonText`. */
  readonly raw?: readonly string[];
  readonly answer: z.ZodType;
  /** Throws AdminError and HubError. */
  run(call: AdminCall): Promise<unknown>;
}

/** What a dialect adds to the admin API. */
export interface AdminPart {
  readonly operations: readonly AdminOperation[];
  /** Values for the document, by name. */
  readonly examples: Examples;
  /** Spaces of its own in which connections hear what is published to the shared channel of the same name. */
  readonly hearsIn?: readonly string[];
}

/** Keeps what `run` takes and gives to what the schemas say. */
export function adminOperation<Request extends z.ZodObject, Answer extends z.ZodType>(
  operation: Omit<AdminOperation, "run"> & {
    readonly request: Request;
    readonly answer: Answer;
    run(call: AdminCall<z.output<Request>>): Promise<z.input<Answer> | JsonText>;
  },
): AdminOperation {
  return operation;
}

/** Of a member that is named in `raw`. */
export const jsonText = z
  .custom<{ readonly json: CompactJson }>((value) => typeof value === "object", {
    error: "must be JSON",
  })
  .meta({ description: "Any JSON value." });

/** Parameters of every list. */
export const pageRequest = {
  limit: z.coerce
    .number()
    .int()
    .min(1)
    .max(ADMIN_PAGE_ROWS_MAX)
    .default(ADMIN_PAGE_ROWS)
    .describe("Rows, at the most."),
  cursor: z.string().optional().describe("`next` of the page before. Absent: the first page."),
};

/** What a list answers. */
export function pageAnswer<Row extends z.ZodType>(row: Row) {
  return z.strictObject({
    data: z.array(row),
    next: z.string().optional().describe("`cursor` of the next page. Absent: it was the last."),
  });
}

interface PageRequest {
  readonly limit: number;
  readonly cursor?: string | undefined;
}

/** Throws AdminError `bad_request` for a cursor that is none. */
export function pageQueryOf({ limit, cursor }: PageRequest): PageQuery {
  return cursor === undefined ? { limit } : { limit, after: placeOf(cursor) };
}

export function pageViewOf<Row, View>(
  { rows, next }: Page<Row>,
  view: (row: Row) => View,
): { readonly data: View[]; readonly next?: string } {
  const data = rows.map(view);
  return next === undefined ? { data } : { data, next: cursorOf(next) };
}

/** Opaque, and of characters that need no encoding, whatever the place is called. */
export function cursorOf(place: string): string {
  return Buffer.from(place).toString("base64url");
}

/** Throws AdminError `bad_request`. */
export function placeOf(cursor: string): string {
  const bytes = Buffer.from(cursor, "base64url");
  const place = bytes.toString();
  if (cursor !== "" && cursorOf(place) === cursor) return place;
  throw badCursor();
}

export function badCursor(): AdminError {
  return new AdminError("bad_request", '"cursor" is not of this list: begin without one');
}

export const isoTime = (epochMs: number): string => new Date(epochMs).toISOString();

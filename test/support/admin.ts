/** Calls of the admin API; each answer is held against the OpenAPI document that the server itself gives. */
import { expect } from "bun:test";
import { Ajv2020 } from "ajv/dist/2020.js";
import { readOpenApi } from "./openapi.ts";

export type Row = Readonly<Record<string, unknown>>;

export interface AdminAnswer {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
  readonly body: Row;
  /** Of a list. */
  readonly data: readonly Row[];
  readonly next: string | undefined;
  readonly code: string | undefined;
}

export interface AdminRequest {
  readonly method?: string;
  /** The query; or with `body` beside it. */
  readonly query?: Readonly<Record<string, string | number>>;
  /** Sent as JSON; a text as it is. With it the method is POST. */
  readonly body?: object | string;
  readonly headers?: Readonly<Record<string, string>>;
}

export interface AdminClient {
  (path: string, request?: AdminRequest): Promise<AdminAnswer>;
  /** All rows of a list, this many to a page. */
  all(path: string, query?: Readonly<Record<string, string>>, limit?: number): Promise<Row[]>;
  /** Paths that were answered 200. */
  readonly answered: ReadonlySet<string>;
}

interface Document {
  readonly paths: Readonly<
    Record<
      string,
      Readonly<
        Record<
          string,
          {
            readonly responses: Readonly<
              Record<string, { readonly content: { readonly "application/json": Media } }>
            >;
          }
        >
      >
    >
  >;
}
interface Media {
  readonly schema: object;
}

export async function adminClient(server: { readonly apiUrl: string }): Promise<AdminClient> {
  const { paths } = await readOpenApi<Document>(server.apiUrl);
  const ajv = new Ajv2020({ strict: false, validateFormats: false });
  const answered = new Set<string>();

  async function call(
    path: string,
    { method, query = {}, body, headers = {} }: AdminRequest = {},
  ): Promise<AdminAnswer> {
    const search = new URLSearchParams(
      Object.entries(query).map(([name, value]): [string, string] => [name, String(value)]),
    );
    const used = method ?? (body === undefined ? "GET" : "POST");
    const answer = await fetch(`${server.apiUrl}/admin/api/${path}?${search.toString()}`, {
      ...{ method: used, headers },
      ...(body === undefined
        ? {}
        : { body: typeof body === "string" ? body : JSON.stringify(body) }),
    });
    const text = await answer.text();
    const parsed = (text === "" ? {} : JSON.parse(text)) as Row;
    const { status } = answer;
    const documented = paths[`/admin/api/${path}`]?.[used.toLowerCase()];
    if (documented !== undefined) {
      const { schema = false } = documented.responses[status]?.content["application/json"] ?? {};
      expect([path, text, ajv.validate(schema, parsed), ajv.errors]).toEqual([
        ...[path, text, true, null],
      ]);
    }
    if (status === 200) answered.add(path);
    const error = parsed["error"] as { readonly code?: string } | undefined;
    return {
      ...{ status, headers: answer.headers, text, body: parsed, code: error?.code },
      data: (parsed["data"] ?? []) as readonly Row[],
      next: parsed["next"] as string | undefined,
    };
  }

  async function all(
    path: string,
    query: Readonly<Record<string, string>> = {},
    limit = 50,
  ): Promise<Row[]> {
    const rows: Row[] = [];
    for (let cursor: string | undefined; ;) {
      const page = await call(path, {
        query: { ...query, limit, ...(cursor === undefined ? {} : { cursor }) },
      });
      if (page.status !== 200) throw new Error(`${path} answered ${page.text}`);
      expect(page.data.length).toBeLessThanOrEqual(limit);
      rows.push(...page.data);
      if (page.next === undefined) return rows;
      cursor = page.next;
    }
  }

  return Object.assign(call, { all, answered });
}

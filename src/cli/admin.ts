/** What the commands share that ask a running server's admin API: where it is, by which key, and what a refusal means. */
import { z } from "zod";
import { isJson } from "../core/json-text.ts";
import { CommandError, REFUSED } from "./failure.ts";
import { ask } from "./http.ts";
import {
  addressOf,
  configCommand,
  countUpTo,
  developmentKey,
  findApp,
  readConfig,
  SHARED,
  urlOf,
  type AppOption,
} from "./options.ts";
import type { Command } from "commander";

/** Rows that are asked for at a time. */
const PAGE_ROWS = 250;
/** Rows that are printed unless `--limit` says otherwise. */
const ROWS = 1000;

export interface AdminOptions extends AppOption {
  readonly url?: string;
  readonly key?: string;
  readonly json?: boolean;
}

export interface ListOptions extends AdminOptions {
  readonly limit: number;
}

export function adminCommand(name: string, description: string): Command {
  return configCommand(name, description)
    .option(...SHARED.apiUrl)
    .option("--key <key>", "an API key with the scope admin; not needed on loopback")
    .option("--app <id>", "the app; default: the key's, or the first one")
    .option(...SHARED.json);
}

export function listCommand(name: string, description: string): Command {
  return adminCommand(name, description).option(
    "--limit <n>",
    "rows that are printed at the most",
    countUpTo(Infinity),
    ROWS,
  );
}

export const connectionRow = z.object({
  connection: z.string(),
  node: z.string(),
  dialect: z.string(),
  user: z.string(),
  connected_at: z.string(),
  unsent_bytes: z.number(),
  subscriptions: z.number(),
});
export type ConnectionRow = z.output<typeof connectionRow>;

type Query = Readonly<Record<string, string | undefined>>;

/** One server's admin API. */
export class AdminApi {
  readonly #base: string;
  readonly #headers: Readonly<Record<string, string>>;
  readonly #app: string | undefined;

  constructor(options: AdminOptions) {
    const config = readConfig(options);
    const app = findApp(config, options.app);
    const base = addressOf(options.url ?? urlOf(config, "api", app), "--url");
    const key = options.key ?? developmentKey(config, app);
    this.#base = `${base}/admin/api/`;
    this.#headers = key === undefined ? {} : { "x-api-key": key };
    this.#app = options.app;
  }

  async get<Answer>(path: string, query: Query, answer: z.ZodType<Answer>): Promise<Answer> {
    return this.#read(await ask(this.#urlOf(path, query), { headers: this.#headers }), answer);
  }

  /** `body` as text is JSON that is sent as it is. */
  async post<Answer>(
    path: string,
    body: object | string,
    answer: z.ZodType<Answer>,
  ): Promise<Answer> {
    const headers = { ...this.#headers, "content-type": "application/json" };
    const call = { headers, body: typeof body === "string" ? body : JSON.stringify(body) };
    return this.#read(await ask(this.#urlOf(path, {}), call), answer);
  }

  /** The first rows of a list, and whether there are more. */
  async list<Row>(
    path: string,
    { query, limit }: { readonly query: Query; readonly limit: number },
    row: z.ZodType<Row>,
  ): Promise<{ readonly rows: readonly Row[]; readonly more: boolean }> {
    const page = z.object({ data: z.array(row), next: z.string().optional() });
    const rows: Row[] = [];
    for (let cursor: string | undefined; ;) {
      const left = Math.min(PAGE_ROWS, limit - rows.length);
      const { data, next } = await this.get(path, { ...query, limit: `${left}`, cursor }, page);
      rows.push(...data);
      if (next === undefined) return { rows, more: false };
      if (rows.length >= limit) return { rows, more: true };
      cursor = next;
    }
  }

  #urlOf(path: string, query: Query): URL {
    const url = new URL(this.#base + path);
    for (const [name, value] of Object.entries({ ...query, app: this.#app })) {
      if (value !== undefined) url.searchParams.set(name, value);
    }
    return url;
  }

  #read<Answer>(
    { status, body }: { readonly status: number; readonly body: string },
    answer: z.ZodType<Answer>,
  ): Answer {
    const json: unknown = isJson(body) ? JSON.parse(body) : undefined;
    if (status === 200) {
      const parsed = answer.safeParse(json);
      if (parsed.success) return parsed.data;
    }
    const refused = refusal.safeParse(json);
    if (!refused.success) {
      const where = `${this.#base} has no admin API`;
      throw new CommandError(`${where} (${status}): --url is the server's api listener`, REFUSED);
    }
    const { code, message } = refused.data.error;
    const hint =
      code === "unauthorized" ? ': give --key; "carillon key --scope admin" makes one' : "";
    throw new CommandError(`The server refused it: ${message}${hint}`, REFUSED);
  }
}

const refusal = z.object({ error: z.object({ code: z.string(), message: z.string() }) });

/** Calls of the admin API from the page that it is served with: with a key where one is asked for, and about the app that was chosen. */
import { signal } from "@preact/signals";

/** The key lives as long as the browser's tab. */
const KEY = "carillon-key";

export interface Server {
  readonly version: string;
  readonly engine: string;
  readonly app: string;
  readonly apps: readonly string[];
  readonly dialects: readonly string[];
}

export interface RowPage<Row> {
  readonly data: readonly Row[];
  readonly next?: string;
}

/** Undefined members are left out. */
export type Query = Readonly<Record<string, string | number | undefined>>;

/** What the server refused; its message is for whoever looks. */
export class ApiError extends Error {
  readonly code: string;

  constructor(code: string, message: string) {
    super(message);
    this.code = code;
  }
}

export class Api {
  /** Undefined: it has not answered yet. */
  readonly server = signal<Server | undefined>(undefined);
  /** Why there is nothing to see; empty: there is. */
  readonly trouble = signal("");
  readonly needsKey = signal(false);
  readonly app = signal<string | undefined>(undefined);

  async load(): Promise<void> {
    try {
      this.server.value = await this.get<Server>("server", {});
      this.needsKey.value = false;
      this.trouble.value = "";
    } catch (error) {
      this.trouble.value = messageOf(error);
    }
  }

  useKey(key: string): Promise<void> {
    sessionStorage.setItem(KEY, key);
    return this.load();
  }

  useApp(app: string): Promise<void> {
    this.app.value = app;
    return this.load();
  }

  get<Answer>(path: string, query: Query): Promise<Answer> {
    return this.#ask<Answer>(path, query);
  }

  post<Answer>(path: string, body: object): Promise<Answer> {
    return this.postText<Answer>(path, JSON.stringify(body));
  }

  /** JSON that is sent as it was written. */
  postText<Answer>(path: string, body: string): Promise<Answer> {
    return this.#ask<Answer>(path, {}, { method: "POST", body });
  }

  async #ask<Answer>(path: string, query: Query, init: RequestInit = {}): Promise<Answer> {
    const url = new URL(`admin/api/${path}`, document.baseURI);
    for (const [name, value] of Object.entries({ ...query, app: this.app.value })) {
      if (value !== undefined) url.searchParams.set(name, String(value));
    }
    const key = sessionStorage.getItem(KEY);
    const headers = key === null ? {} : { "X-API-Key": key };
    const response = await fetch(url, { ...init, headers });
    if (response.ok) return (await response.json()) as Answer;
    throw this.#refusal(response.status, await response.text());
  }

  #refusal(status: number, text: string): ApiError {
    if (status === 401) this.needsKey.value = true;
    try {
      const { error } = JSON.parse(text) as { error: { code: string; message: string } };
      return new ApiError(error.code, error.message);
    } catch {
      return new ApiError(String(status), text.trim() || `The server answered ${status}`);
    }
  }
}

export function messageOf(error: unknown): string {
  if (error instanceof ApiError) return error.message;
  // The browser's own words say nothing of why.
  return error instanceof TypeError ? "The server cannot be reached" : String(error);
}

/** What the page asks of the server beside the protocols: see `src/playground/`. */

export interface Settings {
  readonly version: string;
  readonly app: string;
  /** Another one: the server was started anew. */
  readonly startedAt: number;
  readonly apiUrl: string;
  readonly canRestart: boolean;
  /** Paths, with the app's prefix. */
  readonly sockets: readonly { readonly dialect: string; readonly path: string }[];
  readonly tryIt: readonly string[];
}

export interface ApiCall {
  /** Absent: a POST. */
  readonly method?: "GET";
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

export interface ApiAnswer {
  readonly status: number;
  readonly body: string;
}

type TokenOptions = Readonly<Record<string, string | readonly string[] | true>>;

const addressOf = (path: string): URL => new URL(`playground/${path}`, document.baseURI);

export async function loadSettings(): Promise<Settings> {
  const response = await fetch(addressOf("settings"));
  if (!response.ok) throw new Error(`The server answered ${response.status}`);
  return (await response.json()) as Settings;
}

/** As `carillon token <kind>` prints it. */
export async function askToken(kind: string, options: TokenOptions): Promise<string> {
  return ((await ask("token", { kind, options })) as { readonly token: string }).token;
}

export async function callApi(call: ApiCall): Promise<ApiAnswer> {
  return (await ask("call", call)) as ApiAnswer;
}

export async function askRestart(): Promise<void> {
  await ask("restart", {});
}

async function ask(path: string, body: unknown): Promise<unknown> {
  const response = await fetch(addressOf(path), { method: "POST", body: JSON.stringify(body) });
  if (!response.ok) throw new Error((await response.text()).trim());
  return response.json();
}

/**
 * The programs of docs/push-from-a-backend.md and docs/sign-a-token.md, each run by the command in its first line as it is printed; only
 * the server's address, which is another here, is put in.
 */
import { afterAll, describe, expect, test } from "bun:test";
import { rmSync, writeFileSync } from "node:fs";
import { createServer, type IncomingMessage, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { systemRuntime } from "../../src/system-runtime.ts";
import { needProgram } from "../support/install-package.ts";
import { blocksOf, ROOT } from "../support/printed.ts";
import { bootServer, temporaryDir, type BootedServer } from "../support/server.ts";
import { openClient } from "../support/streaming.ts";

/** What each language needs: on the path, from Debian, by Homebrew. */
const PROGRAMS = {
  sh: ["curl", "curl", "curl"],
  js: ["node", "nodejs", "node"],
  python: ["python3", "python3", "python"],
  go: ["go", "golang-go", "go"],
  ruby: ["ruby", "ruby", "ruby"],
  // A runtime alone does not run a source file.
  java: ["javac", "default-jdk-headless", "openjdk"],
  php: ["php", "php-cli", "php"],
} as const;

/** The first run of Go compiles its library. */
const TIMEOUT_MS = 240_000;
const directory = temporaryDir();
afterAll(() => rmSync(directory, { recursive: true }));

const pushes = await programsOf("docs/push-from-a-backend.md");
const signs = await programsOf("docs/sign-a-token.md");

interface Program {
  readonly language: keyof typeof PROGRAMS;
  readonly text: string;
}

async function programsOf(page: string): Promise<readonly Program[]> {
  const text = await Bun.file(join(ROOT, page)).text();
  return blocksOf(page, text).filter((block): block is typeof block & Program => {
    return Object.hasOwn(PROGRAMS, block.language);
  });
}

interface Ended {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

/** `edit` is what is put into the text and its command. */
async function run({ language, text }: Program, edit: Readonly<Record<string, string>>) {
  const [name, aptPackage, brew] = PROGRAMS[language];
  const find = () => Bun.which(name) ?? undefined;
  needProgram({ what: name, find, aptPackage, elsewhere: `macOS: "brew install ${brew}"` });
  let edited = text;
  for (const [printed, put] of Object.entries(edit)) {
    expect(edited).toContain(printed);
    edited = edited.replaceAll(printed, put);
  }
  const command =
    language === "sh" ? edited : (/^(?:\/\/|#|<\?php \/\/) (.*)/.exec(edited)?.[1] ?? "");
  if (language !== "sh") writeFileSync(join(directory, command.split(" ").at(-1) ?? ""), edited);
  const child = Bun.spawn(["sh", "-c", command], {
    cwd: directory,
    stdout: "pipe",
    stderr: "pipe",
  });
  const [out, err] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
  ]);
  return { code: await child.exited, out, err } satisfies Ended;
}

/** Between a program and the server, which does every call: the first answers do not arrive, but a break or a 503 in their place. */
async function startRelay(server: BootedServer, faults: readonly ("break" | 503)[]) {
  const bodies: string[] = [];
  const relay: Server = createServer((request, response) => {
    void (async () => {
      const body = await bodyOf(request);
      const fault = faults[bodies.push(body) - 1];
      const headers = { "X-API-Key": String(request.headers["x-api-key"]) };
      const answer = await fetch(server.apiUrl + request.url, { method: "POST", headers, body });
      const text = await answer.text();
      if (fault === "break") request.socket.destroy();
      else response.writeHead(fault ?? answer.status).end(text);
    })();
  });
  await new Promise<void>((resolve) => relay.listen(0, "127.0.0.1", resolve));
  return {
    host: `127.0.0.1:${(relay.address() as AddressInfo).port}`,
    bodies,
    [Symbol.dispose]: () => void relay.close(),
  };
}

async function bodyOf(request: IncomingMessage): Promise<string> {
  return Buffer.concat(await request.toArray()).toString();
}

describe("a push", () => {
  test.each(pushes)(
    "in $language goes out once, though its answer is lost, and a refusal is final",
    async (program) => {
      await using server = await bootServer({ runtime: systemRuntime });
      // To curl a break is final, as it knows nothing of keys.
      const faults = program.language === "sh" ? ([503] as const) : (["break", 503] as const);
      using relay = await startRelay(server, faults);
      const done = await run(program, { "127.0.0.1:9000": relay.host });
      expect(done).toMatchObject({ code: 0, out: expect.stringMatching(/offset\W+1\b/) });
      expect(relay.bodies).toHaveLength(faults.length + 1);
      expect(new Set(relay.bodies).size).toBe(1);
      const { result } = await server.api("history", { channel: "public:news", limit: -1 });
      expect(result).toMatchObject({ publications: [{ data: { text: "Hello" } }] });

      const key = { "127.0.0.1:9000": relay.host, "API_KEY=dev-api-key": "API_KEY=wrong" };
      const refused = await run(program, key);
      expect(refused.code).not.toBe(0);
      expect(refused.out + refused.err).toContain("401");
      expect(refused.out + refused.err).toContain("An API key is missing or not known");
      expect(relay.bodies).toHaveLength(faults.length + 2);
    },
    TIMEOUT_MS,
  );
});

describe("a token", () => {
  test.each(signs)(
    "in $language connects, and opens its channel",
    async (program) => {
      await using server = await bootServer({ runtime: systemRuntime });
      const { code, out, err } = await run(program, {});
      expect({ code, err }).toEqual({ code: 0, err: "" });
      const [token, channelToken] = out.trim().split("\n");
      using client = await openClient(server);
      const connected = await client.ask({ connect: { token } });
      expect(connected).toMatchObject({ connect: { expires: true } });
      const closed = await client.ask({ subscribe: { channel: "$orders-42" } });
      expect(closed).toMatchObject({ error: { code: 103 } });
      const subscribe = { channel: "$orders-42", token: channelToken };
      expect(await client.ask({ subscribe })).toMatchObject({ subscribe: { expires: true } });
    },
    TIMEOUT_MS,
  );
});

test("every language is there twice", () => {
  const languages = (programs: readonly Program[]) => programs.map(({ language }) => language);
  expect(languages(pushes)).toEqual(["sh", ...languages(signs)]);
  const every: readonly string[] = languages(pushes).toSorted();
  expect(every).toEqual(Object.keys(PROGRAMS).toSorted());
});

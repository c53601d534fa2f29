/**
 * A web page that the server brings along, and its files: what of `web/` the browser loads. It is made when it is first asked for; the
 * page loads nothing from elsewhere and runs no script but its files.
 */
import { createHash } from "node:crypto";
import { textAnswer, type ApiAnswer, type RequestHead } from "../transports/api-call.ts";

/** What the bundler made. */
export interface PageFile {
  /** Of the page itself `""`, else its path below the page's name: `index-5x76y2zp.js`. */
  readonly name: string;
  readonly type: string;
  readonly gzip: Uint8Array<ArrayBuffer>;
}

export interface Page {
  /**
   * For GET and HEAD. `file`: as in `PageFile`. Undefined: there is no such file. Rejects when the page cannot be made, as where its
   * sources or libraries are not installed; the next call tries again.
   */
  answer(head: RequestHead, file: string): Promise<ApiAnswer | undefined>;
}

/** No script or style but its files, no host but this one, in nobody's frame. */
const POLICY = [
  ...["default-src 'none'", "script-src 'self'", "style-src 'self'", "img-src 'self' data:"],
  ...["connect-src 'self'", "base-uri 'none'", "form-action 'none'", "frame-ancestors 'none'"],
].join("; ");

export const PAGE_HEADERS: Readonly<Record<string, string>> = {
  "Content-Security-Policy": POLICY,
  "X-Content-Type-Options": "nosniff",
  "Referrer-Policy": "no-referrer",
  "Cross-Origin-Opener-Policy": "same-origin",
  "Cross-Origin-Resource-Policy": "same-origin",
};

interface Stored extends PageFile {
  readonly headers: Readonly<Record<string, string>>;
}

/** `load`: all files, with the page itself among them. */
export function createPage(load: () => Promise<readonly PageFile[]>): Page {
  let loading: Promise<ReadonlyMap<string, Stored>> | undefined;

  async function store(): Promise<ReadonlyMap<string, Stored>> {
    try {
      return new Map((await load()).map((file) => [file.name, stored(file)]));
    } catch (error) {
      loading = undefined;
      throw error;
    }
  }

  return {
    async answer(head, file) {
      const found = (await (loading ??= store())).get(file);
      if (found === undefined) return undefined;
      if (head.method !== "GET" && head.method !== "HEAD") {
        return textAnswer(405, "Method not allowed\n", { Allow: "GET, HEAD" });
      }
      return answerFile(found, head.headers);
    },
  };
}

function stored(file: PageFile): Stored {
  const hash = createHash("sha256").update(file.gzip).digest("base64url").slice(0, 22);
  return {
    ...file,
    headers: {
      ...PAGE_HEADERS,
      "Content-Type": file.type,
      // Weak: compressed and not, it is the same.
      ETag: `W/"${hash}"`,
      Vary: "Accept-Encoding",
      // The page's files have their content's hash in their names.
      "Cache-Control": file.name === "" ? "no-cache" : "max-age=31536000, immutable",
    },
  };
}

function answerFile({ headers, gzip }: Stored, asked: RequestHead["headers"]): ApiAnswer {
  const known = asked.get("if-none-match")?.split(/\s*,\s*/) ?? [];
  if (known.includes(headers["ETag"] ?? "")) return { status: 304, headers, body: "" };
  if (/\bgzip\b(?!\s*;\s*q=0(?:\.0*)?(?:,|\s|$))/.test(asked.get("accept-encoding") ?? "")) {
    return { status: 200, headers: { ...headers, "Content-Encoding": "gzip" }, body: gzip };
  }
  return { status: 200, headers, body: Bun.gunzipSync(gzip) };
}

/** SockJS's frames, and what each transport makes of one (sockjs.md §6). */
import type { Frame } from "../../core/types.ts";

export const OPEN_FRAME = "o";
export const HEARTBEAT_FRAME = "h";

/** Beyond what JSON escapes: transports or script engines spoil them. Lone surrogates are JSON's to escape already. */
const SPOILT = /[\u200c-\u200f\u2028-\u202f\u2060-\u206f\ufff0-\uffff]/;
const ALL_SPOILT = new RegExp(SPOILT.source, "g");

/** A message as it stands in an array; bytes are the text that they are in UTF-8. */
export function encodeMessage(message: Frame): string {
  const json = JSON.stringify(
    typeof message === "string" ? message : Buffer.from(message).toString(),
  );
  if (!SPOILT.test(json)) return json;
  return json.replace(
    ALL_SPOILT,
    (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}

/** Of encoded messages. */
export function messagesFrame(messages: readonly string[]): string {
  return `a[${messages.join(",")}]`;
}

export function closeFrame(code: number, reason: string): string {
  return `c[${code},${encodeMessage(reason)}]`;
}

/** How the answers of one receiving transport look. */
export interface Format {
  readonly contentType: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** The first bytes of an answer that streams; undefined: each answer is one frame. */
  readonly prelude?: string;
  readonly wrap: (frame: string) => string;
}

const SCRIPT = "application/javascript; charset=UTF-8";
/** Characters that the head of `htmlfile` is padded to: some browsers show nothing of less than 1,024 bytes. */
const HTML_HEAD_CHARACTERS = 1_100;

const xhr = { contentType: SCRIPT, wrap: (frame: string) => `${frame}\n` };

export interface Formats {
  readonly xhr: Format;
  readonly xhr_streaming: Format;
  readonly eventsource: Format;
  readonly htmlfile: (callback: string) => Format;
  readonly jsonp: (callback: string) => Format;
}

/** Each keeps the last frame that it wrapped: one that goes to many sessions is wrapped once. */
export function createFormats(): Formats {
  const htmlfile = once((frame) => `<script>\np(${scriptString(frame)});\n</script>\r\n`);
  const scripted = once(scriptString);
  return {
    xhr: { ...xhr, wrap: once(xhr.wrap) },
    xhr_streaming: { ...xhr, wrap: once(xhr.wrap), prelude: `${"h".repeat(2048)}\n` },
    eventsource: {
      contentType: "text/event-stream",
      prelude: "\r\n",
      // The client decodes percent escapes. A frame has neither CR, LF nor NUL, which JSON escapes.
      wrap: once((frame) => `data: ${frame.replaceAll("%", "%25")}\r\n\r\n`),
    },
    htmlfile: (callback) => ({
      contentType: "text/html; charset=UTF-8",
      headers: { "X-Content-Type-Options": "nosniff" },
      prelude: htmlHead(callback),
      wrap: htmlfile,
    }),
    jsonp: (callback) => ({
      contentType: SCRIPT,
      headers: { "X-Content-Type-Options": "nosniff" },
      wrap: (frame) => `/**/${callback}(${scripted(frame)});\r\n`,
    }),
  };
}

function once(wrap: (frame: string) => string): (frame: string) => string {
  let last: string | undefined;
  let wrapped = "";
  return (frame) => {
    if (frame !== last) {
      wrapped = wrap(frame);
      last = frame;
    }
    return wrapped;
  };
}

/** A frame as a string of a script, in which no message can end the script's element or begin another. */
function scriptString(frame: string): string {
  return JSON.stringify(frame).replaceAll("<", "\\u003c");
}

function htmlHead(callback: string): string {
  const head = `<!doctype html>
<html><head>
  <meta http-equiv="X-UA-Compatible" content="IE=edge" />
  <meta http-equiv="Content-Type" content="text/html; charset=UTF-8" />
</head><body><h2>Don't panic!</h2>
  <script>
    document.domain = document.domain;
    var c = parent.${callback};
    c.start();
    function p(d) {c.message(d);};
    window.onload = function() {c.stop();};
  </script>`;
  return `${head.padEnd(HTML_HEAD_CHARACTERS)}\r\n\r\n`;
}

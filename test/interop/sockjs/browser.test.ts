/** The unmodified client, as this server serves it, in a browser: every transport that it offers there, on the server's pages and on others'. */
import { expect, test } from "bun:test";
import { useBrowser } from "../../support/browser.ts";
import { turn } from "../../support/bun-servers.ts";
import { createLink } from "../../support/link.ts";
import { useSockJs } from "../../support/sockjs.ts";
import { SCRIPT_NAME } from "../../../src/transports/sockjs/service.ts";

const browser = useBrowser();
const { listen, defer } = useSockJs();

const TEST_TIMEOUT_MS = 30_000;
const EVERYWHERE = ["websocket", "xhr-streaming", "eventsource", "xhr-polling", "jsonp-polling"];
const SAME_ORIGIN = [...EVERYWHERE, "htmlfile"];
const CROSS_ORIGIN = [
  ...EVERYWHERE,
  ...["iframe-eventsource", "iframe-htmlfile", "iframe-xhr-polling"],
];

const page = (script: string) => () =>
  new Response(`<!doctype html><body><script src="${script}"></script>`, {
    headers: { "Content-Type": "text/html" },
  });

/** In the page: what came back of messages with every code unit, and of what needs an encoding somewhere. */
const EXCHANGE = `async ([url, transport]) => {
  const sent = ["%20", "100%", "", "\\ud83d\\udece emoji", "\\ud83d", "\\udece", "<!--<script>", "</script>", "x".repeat(8192)];
  for (let unit = 0; unit < 65536; unit += 4096) {
    sent.push(String.fromCharCode(...Array.from({ length: 4096 }, (_, at) => unit + at)));
  }
  const received = [];
  const socket = new SockJS(url, null, { transports: [transport], timeout: 10000 });
  return await new Promise((resolve) => {
    socket.onopen = () => sent.forEach((message) => socket.send(message));
    socket.onmessage = ({ data }) => {
      received.push(data);
      if (received.length === sent.length) socket.close();
    };
    socket.onclose = ({ code }) => resolve({
      code,
      wrong: sent.flatMap((message, at) => message === received[at] ? [] : [at]),
      count: received.length,
    });
  });
}`;

const EXCHANGED = { code: 1000, wrong: [], count: 25 };

async function exchange(pageUrl: string, url: string, transport: string): Promise<unknown> {
  const opened = await browser.open(pageUrl);
  return opened.page.evaluate(`(${EXCHANGE})(${JSON.stringify([url, transport])})`);
}

test.each(SAME_ORIGIN)(
  "%s on a page of the server's",
  async (transport) => {
    const server = listen({ fetch: page(`/echo/${SCRIPT_NAME}`) });
    const result = await exchange(`${server.url}/page`, server.echo, transport);
    expect(result).toEqual(EXCHANGED);
  },
  TEST_TIMEOUT_MS,
);

test.each(CROSS_ORIGIN)(
  "%s on a page of another origin",
  async (transport) => {
    const server = listen();
    const other = Bun.serve({
      ...{ port: 0, hostname: "127.0.0.1" },
      fetch: page(`${server.echo}/${SCRIPT_NAME}`),
    });
    defer(() => other.stop(true));
    expect(await exchange(other.url.href, server.echo, transport)).toEqual(EXCHANGED);
  },
  TEST_TIMEOUT_MS,
);

/** In the page: reconnects until ten messages came back, each sent on whichever connection is open; the proxy cuts in between. */
const RECONNECT = `async ([url, transport]) => {
  let came = 0;
  let ends = 0;
  while (came < 10) {
    await new Promise((resolve) => {
      const socket = new SockJS(url, null, { transports: [transport], timeout: 10000 });
      const send = () => socket.send("message " + came);
      socket.onopen = send;
      socket.onmessage = ({ data }) => {
        if (data !== "message " + came) throw new Error("wrong: " + data);
        came += 1;
        console.log("came " + came);
        if (came === 10) socket.close();
        else if (came % 3 !== 0) send();
      };
      socket.onclose = () => { ends += 1; resolve(); };
    });
  }
  return { came, ends };
}`;

test.each(["websocket", "xhr-streaming", "eventsource", "xhr-polling"])(
  "%s through a proxy that cuts connections",
  async (transport) => {
    const server = listen();
    const link = await createLink(server.echo);
    defer(() => link[Symbol.asyncDispose]());
    const other = Bun.serve({
      ...{ port: 0, hostname: "127.0.0.1" },
      fetch: page(`${server.echo}/${SCRIPT_NAME}`),
    });
    defer(() => other.stop(true));
    const { page: opened, nextLine } = await browser.open(other.url.href);
    const result = opened.evaluate(`(${RECONNECT})(${JSON.stringify([link.url, transport])})`);
    for (const pause of ["came 3", "came 6", "came 9"]) {
      while ((await nextLine()) !== pause);
      // A client that polls notices when its poll is there to be cut.
      while (!server.session.socket.writable) await turn();
      link.cut();
      link.restore();
    }
    expect(await result).toEqual({ came: 10, ends: 4 });
  },
  TEST_TIMEOUT_MS,
);

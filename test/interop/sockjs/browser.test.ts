/** The unmodified client, as this server serves it, in a browser: every transport that it offers there, on the server's pages and on others'. */
import { expect, test } from "bun:test";
import { useBrowser } from "../../support/browser.ts";
import { turn } from "../../support/bun-servers.ts";
import { createLink } from "../../support/link.ts";
import { useSockJs } from "../../support/sockjs.ts";
import type { SocketRoute } from "../../../src/transports/socket.ts";
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

/** With answers long enough that most of what is exchanged needs two or three, and not one for each message. */
const route = (one: SocketRoute): SocketRoute => ({ ...one, sockjs: {} });

/** One transport after the other, since a browser has six connections for a server. */
async function expectExchanges(pageUrl: string, url: string, transports: readonly string[]) {
  const { page: opened } = await browser.open(pageUrl);
  for (const transport of transports) {
    const given = JSON.stringify([url, transport]);
    expect([transport, await opened.evaluate(`(${EXCHANGE})(${given})`)]).toEqual([
      ...[transport, EXCHANGED],
    ]);
  }
}

test(
  "every transport on a page of the server's",
  async () => {
    const server = listen({ route, fetch: page(`/echo/${SCRIPT_NAME}`) });
    await expectExchanges(`${server.url}/page`, server.echo, SAME_ORIGIN);
  },
  TEST_TIMEOUT_MS,
);

test(
  "every transport on a page of another origin",
  async () => {
    const server = listen({ route });
    const other = Bun.serve({
      ...{ port: 0, hostname: "127.0.0.1" },
      fetch: page(`${server.echo}/${SCRIPT_NAME}`),
    });
    defer(() => other.stop(true));
    await expectExchanges(other.url.href, server.echo, CROSS_ORIGIN);
  },
  TEST_TIMEOUT_MS,
);

/** In the page: reconnects until six messages came back, each sent on whichever connection is open; the proxy cuts in between. */
const RECONNECT = `async ([url, transport]) => {
  let came = 0;
  let ends = 0;
  while (came < 6) {
    await new Promise((resolve) => {
      const socket = new SockJS(url, null, { transports: [transport], timeout: 10000 });
      const send = () => socket.send("message " + came);
      socket.onopen = send;
      socket.onmessage = ({ data }) => {
        if (data !== "message " + came) throw new Error("wrong: " + data);
        came += 1;
        console.log("came " + came);
        if (came === 6) socket.close();
        else if (came % 2 !== 0) send();
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
    for (const pause of ["came 2", "came 4"]) {
      while ((await nextLine()) !== pause);
      // A client that polls notices when its poll is there to be cut.
      while (!server.session.socket.writable) await turn();
      link.cut();
      link.restore();
    }
    expect(await result).toEqual({ came: 6, ends: 3 });
  },
  TEST_TIMEOUT_MS,
);

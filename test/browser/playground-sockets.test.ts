/** The WebSocket that the playground gives its clients (`web/playground/stream-socket.ts`), beside the browser's own. */
import { expect, test } from "bun:test";
import { usePlayground } from "../support/playground.ts";

const used = usePlayground();

/** What a client hears of sockets that it closes, that the server closes, and that never open; with the browser's own WebSocket or the page's. */
const TRANSCRIPTS = `async (own) => {
  const frame = document.body.appendChild(document.createElement("iframe"));
  const Socket = own ? frame.contentWindow.WebSocket : WebSocket;
  const run = (path, { first = "", protocols = [], binaryType = "blob" }) => new Promise((resolve) => {
    const heard = [];
    const socket = new Socket(new URL(path, location.href), protocols);
    socket.binaryType = binaryType;
    socket.onopen = () => {
      heard.push("open " + socket.readyState + " " + socket.protocol);
      socket.send(first);
    };
    socket.onmessage = ({ data, origin }) => {
      heard.push((typeof data === "string" ? data.slice(0, 18) : data.constructor.name) + " " + origin);
      if (typeof data === "string") socket.close(1000, "done");
      else socket.send(new Uint8Array([255]));
    };
    socket.onerror = () => heard.push("error " + socket.readyState);
    socket.addEventListener("close", ({ code, reason, wasClean }) => {
      resolve([...heard, ["close", socket.readyState, code, reason, wasClean].join(" ")]);
    });
    try {
      socket.send("too early");
    } catch (error) {
      heard.push(error.name);
    }
  });
  const path = "/connection/websocket";
  // A command of Protobuf: the first, to connect.
  const binary = { first: new Uint8Array([4, 8, 1, 34, 0]), protocols: "centrifuge-protobuf" };
  const heard = [
    await run(path, { first: '{"id":1,"connect":{}}' }),
    await run(path, { ...binary, binaryType: "arraybuffer" }),
    await run(path, binary),
    await run("/connection/nowhere", {}),
  ];
  frame.remove();
  return heard;
}`;

test("opens, speaks, fails and ends as the browser's own does", async () => {
  const { page, troubles } = used.page;
  const hears = (own: boolean) => page.evaluate(`(${TRANSCRIPTS})(${own})`);
  const native = await hears(true);
  expect(await hears(false)).toEqual(native);
  const origin = used.server.clientsUrl.replace("http", "ws");
  const [early, refused] = ["InvalidStateError", "close 3 3501 bad request true"];
  expect(native).toEqual([
    [early, "open 1 ", `{"id":1,"connect": ${origin}`, "close 3 1000 done true"],
    [early, "open 1 centrifuge-protobuf", `ArrayBuffer ${origin}`, refused],
    [early, "open 1 centrifuge-protobuf", `Blob ${origin}`, refused],
    [early, "error 3", "close 3 1006  false"],
  ]);
  // What the browser says of those that fail.
  expect(troubles).toHaveLength(2);
});

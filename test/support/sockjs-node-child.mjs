/**
 * Run by Node itself, with the unmodified sockjs-client: a subscriber of messaging by each transport. Each sends `count` messages to
 * `friend`, and prints a line for each that it receives and for its end.
 * Arguments: the base, `friend`, `count`, and tokens by transport as JSON.
 */
import SockJS from "sockjs-client";

const [base, friend, count, tokens] = process.argv.slice(2);

for (const [transport, token] of Object.entries(JSON.parse(tokens))) {
  const url = `${base}?access_token=${token}`;
  const socket = new SockJS(url, null, { transports: [transport], timeout: 10_000 });
  const print = (event) => console.log(JSON.stringify({ transport, ...event }));
  socket.onopen = () => {
    for (let at = 0; at < Number(count); at += 1) {
      socket.send(JSON.stringify({ type: "direct-message", to: friend, content: `${at}` }));
    }
  };
  socket.onmessage = ({ data }) => {
    const { type, content } = JSON.parse(data);
    if (type === "direct-message") print({ used: socket.transport, content });
  };
  socket.onclose = ({ code, reason, wasClean }) => print({ code, reason, wasClean });
}

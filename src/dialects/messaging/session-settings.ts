/** Settings of connections (messaging.md §4.5, §5.1, §12). */
import { z } from "zod";
import { duration, TIMER_MS_MAX } from "../../config/durations.ts";
import { count, positive, timer } from "../../config/kinds.ts";
import { chatSettings } from "./chat/settings.ts";

/** Part of the dialect's section. */
export const sessionSettings = {
  message_size_limit: positive(
    65_536,
    "Bytes of one message from a client, beyond which it is refused as `too-large`.",
  ),
  frame_size_limit: positive(
    1_048_576,
    "Bytes of a WebSocket frame or a sender's body from a client: JSON in JSON may be several times as long. Beyond it the connection is closed with 1009.",
  ),
  queue_max_size: positive(
    1_048_576,
    "Bytes that may wait for a slow client, or be held back for one answer, beyond which it is closed with 4408.",
  ),
  user_connection_limit: positive(
    20,
    "Connections per subscriber, over all nodes, beyond which a new one is closed with 4409.",
  ),
  messages_per_second_max: count(
    500,
    "Messages per second and connection, four times as many at once; those beyond are refused, and after ten seconds the connection is closed with 4429. 0: any number.",
  ),
  ping_interval: timer(
    "25s",
    "Time between the server's pings on raw WebSockets; after two without an answer the connection is closed.",
  ),
  answer_time_limit: duration({ minMs: 1000, maxMs: TIMER_MS_MAX })
    .prefault("28s")
    .describe(
      "How long an answer to a SockJS client may take, one that streams or one that waits, before the client asks for the next: less than proxies in front allow. Heartbeats come after 25 seconds.",
    ),
  presence_linger: duration({ minMs: 0, maxMs: TIMER_MS_MAX })
    .prefault("0s")
    .describe(
      "How long a closed connection's announcement still counts, so that a reconnect is not seen by others.",
    ),
};

const shape = z.object({ ...chatSettings, ...sessionSettings });
export type SessionSettings = Readonly<z.output<typeof shape>>;

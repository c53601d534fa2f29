/** Settings of connections (messaging.md §4.5, §5.1, §12). */
import { z } from "zod";
import { duration, TIMER_MS_MAX } from "../../config/durations.ts";
import { count, positive, timer } from "../../config/kinds.ts";
import { chatSettings } from "./chat/settings.ts";

/** Part of the dialect's section. */
export const sessionSettings = {
  message_size_limit: positive(65_536, "Bytes of a client's message."),
  frame_size_limit: positive(
    1_048_576,
    "Bytes of its WebSocket frame or HTTP body, where JSON holds JSON.",
  ),
  queue_max_size: positive(1_048_576, "Bytes that may wait for a slow client or one answer."),
  user_connection_limit: positive(20, "Connections per subscriber, on all nodes."),
  messages_per_second_max: count(
    500,
    "Messages per second and connection, four times as many at once. Ten seconds beyond it close the connection. 0: unlimited.",
  ),
  ping_interval: timer(
    "25s",
    "Time between pings on raw WebSockets; two without an answer close the connection.",
  ),
  answer_time_limit: duration({ minMs: 1000, maxMs: TIMER_MS_MAX })
    .prefault("28s")
    .describe(
      "Longest answer to a SockJS client, before it asks for the next: less than proxies allow. Heartbeats come every 25 seconds.",
    ),
  presence_linger: duration({ minMs: 0, maxMs: TIMER_MS_MAX })
    .prefault("0s")
    .describe(
      "How long a closed connection still counts as present, so that nobody sees a reconnect.",
    ),
};

const shape = z.object({ ...chatSettings, ...sessionSettings });
export type SessionSettings = Readonly<z.output<typeof shape>>;

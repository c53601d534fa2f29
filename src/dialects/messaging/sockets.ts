/** Routes where clients connect (messaging.md §4.1), and admission before a session (§4.2, §4.3). */
import type { OpenSession, SocketRequest, SocketRoute } from "../../transports/socket.ts";
import type { MessagingConfig } from "./config.ts";
import type { MessagingContext } from "./context.ts";
import { MessagingSession } from "./session.ts";

/** SockJS at the base, with the raw WebSocket at `/websocket` below it and, with an upgrade, at the base itself. */
export function createSockets(
  { path, frame_size_limit, answer_time_limit }: MessagingConfig["messaging"],
  contexts: ReadonlyMap<string, MessagingContext>,
): readonly SocketRoute[] {
  const contextOf = ({ mount }: Pick<SocketRequest, "mount">) => contexts.get(mount.app ?? "");

  async function accept(request: SocketRequest): Promise<Response | OpenSession> {
    const context = contextOf(request);
    if (context === undefined) return new Response("No app answers here\n", { status: 404 });
    const { gate, settings } = context;
    const bearer = await gate.admit(request);
    if (bearer instanceof Response) return bearer;
    return {
      messageBytesMax: frame_size_limit,
      bufferedBytesMax: settings.queue_max_size,
      holder: bearer.subscriber,
      admit: (later) => gate.admitAs(later, bearer.subscriber),
      open: (socket) => new MessagingSession(context, socket, bearer),
    };
  }

  return [
    {
      ...{ path, transports: ["sockjs"], accept },
      messageBytesMax: frame_size_limit,
      sockjs: {
        // A message is far smaller than its frame may be (§12): escapes have their room already.
        arrayBytesMax: frame_size_limit,
        responseMsMax: answer_time_limit,
        admitInfo: (request) => contextOf(request)?.gate.admitInfo(request),
        allowsOrigin: (origin, mount) => contextOf({ mount })?.gate.allowsOrigin(origin) ?? false,
      },
    },
  ];
}

/** Where clients connect (messaging.md §4.1), and who is let in before there is a session. */
import type { SocketRequest, SocketRoute } from "../../transports/socket.ts";
import type { MessagingContext } from "./context.ts";
import { MessagingSession } from "./session.ts";

/** Raw WebSockets, at the base as well. */
export function createSockets(
  path: string,
  contexts: ReadonlyMap<string, MessagingContext>,
): readonly SocketRoute[] {
  const messageBytesMax = Math.max(
    ...[...contexts.values()].map(({ settings }) => settings.frame_size_limit),
  );

  async function accept(request: SocketRequest) {
    const context = contexts.get(request.mount.app ?? "");
    if (context === undefined) return new Response("No app answers here\n", { status: 404 });
    const bearer = await context.gate.admit(request);
    if (bearer instanceof Response) return bearer;
    return {
      messageBytesMax: context.settings.frame_size_limit,
      bufferedBytesMax: context.settings.queue_max_size,
      open: (socket: ConstructorParameters<typeof MessagingSession>[1]) =>
        new MessagingSession(context, socket, bearer),
    };
  }

  return [path, `${path}/websocket`].map((each) => ({
    ...{ path: each, transports: ["websocket"] as const, messageBytesMax, accept },
  }));
}

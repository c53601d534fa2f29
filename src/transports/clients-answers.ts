/** What the `clients` listener itself answers. */

export function upgradeRequired(): Response {
  return text(426, "this path takes WebSocket connections only", {
    upgrade: "websocket",
    connection: "upgrade",
  });
}

export function shuttingDown(): Response {
  return text(503, "shutting down", { connection: "close" });
}

export function text(status: number, body: string, headers: Record<string, string> = {}): Response {
  return new Response(body, { status, headers });
}

/** What a server's error replies mean here: away for now, or our mistake. The same for every client library. */
import { HubError } from "../../../core/errors.ts";

/**
 * First words of replies that a later try may not get: the server is loading, full, cannot save, is not (or not
 * any more) the master, or has lost part of its cluster.
 */
const TEMPORARY = new Set([
  ...["LOADING", "BUSY", "OOM", "MISCONF", "READONLY", "NOREPLICAS", "MASTERDOWN"],
  ...["CLUSTERDOWN", "TRYAGAIN", "MOVED", "ASK", "NOAUTH", "UNBLOCKED"],
]);

/** The error code of a reply, or "" when the error is none of the server's. */
export function replyCode(error: unknown): string {
  if (!(error instanceof Error)) return "";
  const [word = ""] = error.message.split(" ", 1);
  return /^[A-Z]+$/.test(word) ? word : "";
}

/** HubError `unavailable` for what may pass, and for a connection that went away with the question; other replies stay errors. */
export function replyError(error: unknown): unknown {
  // Not from any server: a mistake of ours.
  if (error instanceof HubError || error instanceof TypeError) return error;
  const code = replyCode(error);
  if (code !== "" && !TEMPORARY.has(code)) return error;
  const message = code === "" ? "The connection to Redis was lost" : "Redis cannot do it now";
  return new HubError("unavailable", message, { cause: error });
}

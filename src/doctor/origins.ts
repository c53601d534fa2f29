/** Whether browsers' pages may connect: the ones that are meant, and no other. */
import { ANSWER_MS, isLocal, type Checking } from "./context.ts";
import { exchange, Unreachable, UPGRADE } from "./exchange.ts";

/** Nobody's: the name cannot exist (RFC 6761 §6.4). */
const FOREIGN_ORIGIN = "https://carillon-doctor.invalid";

export async function checkOrigins(checking: Checking, path: string): Promise<void> {
  const { findings, origins, clientsUrl, config } = checking;
  for (const origin of origins) {
    if (await isLetIn(checking, path, origin)) continue;
    findings.add({
      ...{ severity: "error", id: "origin", about: [origin] },
      message: `Pages of ${origin} may not connect`,
      remedy: `Add "${origin}" to allowed_origins of its app in [[apps]], written as browsers send it: scheme, host, port`,
    });
  }
  if (isLocal(clientsUrl) || config.development) return;
  if (!(await isLetIn(checking, path, FOREIGN_ORIGIN))) return;
  findings.add({
    ...{ severity: "warning", id: "origin-any", about: [clientsUrl] },
    message: "Pages of every site may connect",
    remedy: "List your own in allowed_origins of [[apps]]",
  });
}

async function isLetIn(
  { clientsUrl, runtime }: Checking,
  path: string,
  origin: string,
): Promise<boolean> {
  try {
    const { status } = await exchange(new URL(clientsUrl + path), {
      ...{ headers: { ...UPGRADE, origin }, until: "head" },
      ...{ timers: runtime.timers, timeoutMs: ANSWER_MS },
    });
    return status !== 403;
  } catch (error) {
    if (error instanceof Unreachable) return true;
    throw error;
  }
}

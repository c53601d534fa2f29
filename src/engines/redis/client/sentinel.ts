/** Finding the master of a group that Sentinels watch: asked before each connect, and told when another takes over. */
import { RedisClient } from "bun";
import type { Runtime } from "../../../core/runtime.ts";
import { bunClient } from "./bun.ts";
import { TopicBus } from "./bus.ts";
import { RedisFailure, type ServerAddress } from "./diagnosis.ts";
import { Connection, CONNECT_TIMEOUT_MS } from "./link.ts";
import type { ServerSpec } from "./url.ts";

type SentinelSpec = Extract<ServerSpec, { kind: "sentinel" }>;

export interface MasterLocator {
  /** Rejects with `RedisFailure` when no Sentinel answers or knows the master. */
  locate(): Promise<ServerAddress>;
  close(): Promise<void>;
}

export interface LocatorOptions {
  readonly runtime: Runtime;
  /** Another server is the master now, which the old one's connections may never tell. */
  readonly onSwitch: () => void;
  readonly onBug: (error: unknown) => void;
}

export function locateMaster(
  spec: SentinelSpec,
  { runtime, onSwitch, onBug }: LocatorOptions,
): MasterLocator {
  /** The one that answered last is asked first. */
  let sentinels = [...spec.sentinels];

  async function ask(): Promise<readonly [sentinel: string, master: readonly string[]]> {
    let reason = "no Sentinel answers";
    for (const name of sentinels) {
      const client = await connectSentinel(name, spec.before);
      if (client === undefined) continue;
      try {
        const asked = ["GET-MASTER-ADDR-BY-NAME", spec.master];
        const reply = await new Connection(client, runtime).send("SENTINEL", asked);
        if (Array.isArray(reply)) return [name, reply.map(String)];
        reason = `the Sentinels know no master "${spec.master}"`;
      } catch (error) {
        reason = `Sentinel ${name}: ${error instanceof Error ? error.message : String(error)}`;
      } finally {
        client.close();
      }
    }
    throw new RedisFailure(reason);
  }

  const watch = new TopicBus({
    runtime,
    async open() {
      const [sentinel] = await ask();
      const client = await connectSentinel(sentinel, spec.before);
      if (client === undefined) throw new RedisFailure("no Sentinel answers");
      return client;
    },
    check: () => Promise.resolve(),
    onUp() {
      const onMessage = (message: string): void => {
        if (message.startsWith(`${spec.master} `)) onSwitch();
      };
      watch.subscribe("+switch-master", onMessage).catch(() => {});
    },
    onAway() {},
    onBug,
  });
  // Not waited for: its loss only means that a switch is noticed by the connections themselves.
  watch.start().catch(() => {});

  return {
    async locate() {
      const [sentinel, [host = "", port = ""]] = await ask();
      sentinels = [sentinel, ...sentinels.filter((other) => other !== sentinel)];
      const at = `${host.includes(":") ? `[${host}]` : host}:${port}`;
      return { url: `${spec.before}${at}${spec.after}`, name: at };
    },
    close: () => watch.close(),
  };
}

/** Sentinels have credentials of their own or none: asked without any first, then with the master's. */
async function connectSentinel(
  name: string,
  before: string,
): Promise<ReturnType<typeof bunClient> | undefined> {
  const [scheme = "", credentials = ""] = before.split("//");
  for (const auth of credentials === "" ? [""] : ["", credentials]) {
    const client = new RedisClient(`${scheme}//${auth}${name}`, {
      autoReconnect: false,
      enableOfflineQueue: false,
      connectionTimeout: CONNECT_TIMEOUT_MS,
    });
    try {
      await client.connect();
      return bunClient(client);
    } catch {
      client.close();
    }
  }
  return undefined;
}

/** Connections that are kept for the next request to the same origin at the same checked address, and how many. */
import { Agent, type AgentOptions } from "node:http";
import { Agent as SecureAgent } from "node:https";
import type { Duplex } from "node:stream";

export interface Connections {
  readonly plain: Agent;
  readonly secure: SecureAgent;
  /** Those that wait for a request. */
  idle(): number;
  /** Ends them all, also those in use. */
  close(): void;
}

export interface ConnectionsOptions {
  /** Of all origins together: beyond it a connection is closed behind its request. */
  readonly idleMax: number;
  /** Milliseconds after which an idle one is closed: shorter than what common servers keep, so that few are found dead. */
  readonly idleMs: number;
}

/** What an agent is asked with, besides what node:http knows. */
export interface PooledOptions {
  /** Scheme, host name and port of the URL: a connection never serves another origin, even at the same address. */
  readonly origin?: string;
}

export function createConnections({ idleMax, idleMs }: ConnectionsOptions): Connections {
  const idle = new Set<Duplex>();
  const watched = new WeakSet<Duplex>();

  function keep(socket: Duplex): boolean {
    if (idle.size >= idleMax) return false;
    idle.add(socket);
    if (!watched.has(socket)) {
      watched.add(socket);
      socket.once("close", () => idle.delete(socket));
    }
    return true;
  }

  function pooled<Pool extends Agent>(agent: Pool): Pool {
    const nameOf = agent.getName.bind(agent);
    const keepAlive = agent.keepSocketAlive.bind(agent);
    const reuse = agent.reuseSocket.bind(agent);
    // The agents' own names hold address and port, and for TLS server name and authorities too.
    agent.getName = (asked?: AgentOptions & PooledOptions) => `${nameOf(asked)}:${asked?.origin}`;
    agent.keepSocketAlive = (socket) => {
      if (!keep(socket)) return false;
      keepAlive(socket);
      return true;
    };
    agent.reuseSocket = (socket, request) => {
      idle.delete(socket);
      reuse(socket, request);
    };
    return agent;
  }

  const options = { keepAlive: true, timeout: idleMs, scheduling: "lifo" } as const;
  const plain = pooled(new Agent(options));
  const secure = pooled(new SecureAgent(options));
  return {
    plain,
    secure,
    idle: () => idle.size,
    close() {
      plain.destroy();
      secure.destroy();
    },
  };
}

/** A worker or node: a process, and another one in its place whenever it ends by itself. */
import type { Endpoint } from "../operations/endpoints.ts";
import cluster, { type Worker } from "node:cluster";
import type { BaseConfig } from "../config/schema.ts";
import type { Runtime, Timer } from "../core/runtime.ts";
import { StartError } from "../core/start-error.ts";
import type { Logger } from "../operations/log.ts";
import type { FromWorker, SharedPorts, ToWorker } from "./messages.ts";
import { createRestartDelay } from "./restart-delay.ts";

export interface WorkerUrls {
  readonly clientsUrl: string;
  readonly apiUrl: string;
  readonly endpoints: readonly Endpoint[];
}

export interface WorkerSlotOptions {
  /** From 1: names it in logs and metrics. */
  readonly number: number;
  readonly config: BaseConfig;
  readonly log: Logger;
  readonly runtime: Runtime;
  /** Of a worker. Absent: it is a node with ports of its own. */
  readonly sharing?: Sharing;
}

export interface Sharing {
  readonly peersDirectory: string;
  /** No other slot's process answers on the ports. */
  readonly isAlone: () => boolean;
  readonly onMetrics: (message: Extract<FromWorker, { type: "measured" | "scrape" }>) => void;
}

export interface WorkerSlot {
  readonly number: number;
  /** Its process serves. */
  readonly ready: boolean;
  /** Its process listens: it serves, or answers alone that it cannot yet. */
  readonly listens: boolean;
  /** Processes started in place of one that ended. */
  readonly restarts: number;
  /** Of its first process. */
  readonly urls: Promise<WorkerUrls>;
  /** Resolves once it serves; rejects with one clear sentence when the process ends before, and starts no other then. */
  start(): Promise<WorkerUrls>;
  /** Without a process, nobody gets it. */
  send(message: ToWorker): void;
  /** Resolves once there is no process and none will be started. */
  stop(): Promise<void>;
  /** SIGKILL. False: there was no process. */
  kill(): boolean;
}

/** `cluster.setupPrimary` says what its processes run. */
export function createWorkerSlot(options: WorkerSlotOptions): WorkerSlot {
  const { number, config, log, runtime, sharing } = options;
  const kind = sharing === undefined ? "node" : "worker";
  const delay = createRestartDelay();
  const served = Promise.withResolvers<WorkerUrls>();
  let everReady = false;
  let ready = false;
  let listens = false;
  let restarts = 0;
  let stopping = false;
  let restart: Timer | undefined;
  let running: { readonly worker: Worker; readonly ended: Promise<void> } | undefined;

  function start(): void {
    const worker = cluster.fork();
    const startedMs = runtime.clock.monotonicMs();
    const ended = Promise.withResolvers<void>();
    let failure: Extract<FromWorker, { type: "failed" }> | undefined;
    running = { worker, ended: ended.promise };
    // A message to one that is ending fails; its end is told as well.
    worker.on("error", () => {});
    worker.on("message", (message: FromWorker) => {
      if (message.type === "failed") failure = message;
      else receive(message);
    });
    worker.on("exit", (code: number | null, signal: string | null) => {
      running = undefined;
      ready = listens = false;
      ended.resolve();
      if (stopping) return;
      if (!everReady) {
        const how = signal === null ? `ended with exit code ${code}` : `was ended by ${signal}`;
        const message = failure?.message ?? `The ${kind} ${number} ${how} before it could serve`;
        served.reject(new StartError(failure?.word ?? "process_ended", message));
        return;
      }
      // It did as it was told, however short it lived.
      const asked = code === 0 || signal === "SIGTERM";
      const restartMs = delay.after(asked ? Infinity : runtime.clock.monotonicMs() - startedMs);
      const about = {
        [kind]: number,
        code,
        signal,
        reason: failure?.message,
        word: failure?.word,
        restartMs,
      };
      log[asked ? "info" : "error"](about, `A ${kind} ended`);
      restart = runtime.timers.after(restartMs, () => {
        restarts += 1;
        start();
      });
    });
  }

  function receive(message: Exclude<FromWorker, { type: "failed" }>): void {
    switch (message.type) {
      case "hello":
        listens = sharing?.isAlone() ?? true;
        send({ type: "start", number, config, ...sharedBy(listens) });
        break;
      case "ready":
        ready = listens = true;
        everReady = true;
        served.resolve(message);
        break;
      case "measured":
      case "scrape":
        sharing?.onMetrics(message);
        break;
    }
  }

  function sharedBy(alone: boolean): { readonly shared?: SharedPorts } {
    if (sharing === undefined) return {};
    return { shared: { peersDirectory: sharing.peersDirectory, alone } };
  }

  function send(message: ToWorker): void {
    if (running?.worker.isConnected() === true) running.worker.send(message);
  }

  return {
    number,
    urls: served.promise,
    get ready() {
      return ready;
    },
    get listens() {
      return listens;
    },
    get restarts() {
      return restarts;
    },
    start() {
      start();
      return served.promise;
    },
    send,
    async stop() {
      stopping = true;
      restart?.cancel();
      send({ type: "stop" });
      await running?.ended;
    },
    kill() {
      running?.worker.process.kill("SIGKILL");
      return running !== undefined;
    },
  };
}

/** Thousands of healthy clients in a process of their own, so that neither a test nor the server waits for them. */
import { join } from "node:path";
import type { LoadReport, LoadRequest, Otherwise } from "./load-child.ts";

export interface LoadClients extends AsyncDisposable {
  /** Resolves once all of them are subscribed. `%` in a channel's name stands for the client's number. */
  open(
    url: string,
    count: number,
    channels: readonly string[],
    otherwise?: Otherwise,
  ): Promise<void>;
  /** Resolves once every client received the publication whose data has this `number`. */
  received(number: number): Promise<void>;
  report(): Promise<LoadReport>;
  /** Closes every connection; resolves once all are gone. */
  close(): Promise<void>;
}

export function startLoadClients(): LoadClients {
  let answered: ((reply: unknown) => void) | undefined;
  const child = Bun.spawn([process.execPath, join(import.meta.dir, "load-child.ts")], {
    env: { PATH: process.env["PATH"] },
    stdio: ["ignore", "inherit", "inherit"],
    ipc: (reply: unknown) => answered?.(reply),
  });

  function ask(request: LoadRequest): Promise<unknown> {
    const reply = new Promise<unknown>((resolve, reject) => {
      answered = resolve;
      void child.exited.then((code) => reject(new Error(`The load clients ended with ${code}`)));
    });
    child.send(request);
    return reply;
  }

  return {
    async open(url, count, channels, otherwise) {
      await ask({ do: "open", url, count, channels, ...(otherwise && { otherwise }) });
    },
    async received(number) {
      await ask({ do: "await", number });
    },
    report: async () => (await ask({ do: "report" })) as LoadReport,
    async close() {
      await ask({ do: "close" });
    },
    async [Symbol.asyncDispose]() {
      child.kill("SIGKILL");
      await child.exited;
    },
  };
}

/** The load processes of a bench: this very program once more, so that load has cores of its own. */
import { Child } from "./load/child.ts";
import type { PublishersReport, PublishersSpec } from "./load/publishers.ts";
import type { Ready, SubscribersReport, SubscribersSpec } from "./load/subscribers.ts";

export type LoadKind = "publishers" | "subscribers";

/** The command behind which the kind comes. Nobody else has a use for it. */
export const LOAD_COMMAND = "bench-load";

/** How long after the last publication its deliveries may take before they count as missing: while some come, and no longer than that. */
const DRAIN_MS_MAX = 10_000;
const DRAIN_QUIET_MS = 2_000;
const DRAIN_LOOK_MS = 50;

function spawn(kind: LoadKind): Child {
  const program = Bun.isStandaloneExecutable ? [] : [Bun.main];
  return new Child([process.execPath, ...program, LOAD_COMMAND, kind], { name: `bench ${kind}` });
}

/** Connections over as many processes. */
export class Subscribers implements AsyncDisposable {
  readonly #children: readonly Child[];
  readonly #specs: readonly SubscribersSpec[];

  constructor({ processes, ...spec }: SubscribersSpec & { readonly processes: number }) {
    const each = shares(spec.connections, processes);
    this.#specs = each.map((connections) => ({ ...spec, connections }));
    this.#children = each.map(() => spawn("subscribers"));
  }

  /** Resolves once every connection is subscribed, or has failed. */
  open(): Promise<readonly Ready[]> {
    return Promise.all(
      this.#children.map((child, index) => child.ask<Ready>(this.#specs[index] ?? {})),
    );
  }

  /** What comes from here on is reported. */
  measure(): Promise<unknown> {
    return this.#askAll("measure");
  }

  report(): Promise<readonly SubscribersReport[]> {
    return this.#askAll("report");
  }

  /** Resolves once that many messages have come since `measure`, or no more do. */
  async drained(messages: number): Promise<void> {
    let [last, quietMs] = [0, 0];
    for (let waitedMs = 0; waitedMs < DRAIN_MS_MAX; waitedMs += DRAIN_LOOK_MS) {
      const counts = await this.#askAll<{ readonly messages: number }>("count");
      const count = counts.reduce((sum, each) => sum + each.messages, 0);
      quietMs = count === last ? quietMs + DRAIN_LOOK_MS : 0;
      last = count;
      if (count >= messages || quietMs >= DRAIN_QUIET_MS) return;
      await Bun.sleep(DRAIN_LOOK_MS);
    }
  }

  #askAll<Answer>(line: string): Promise<readonly Answer[]> {
    return Promise.all(this.#children.map((child) => child.ask<Answer>(line)));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#children.map((child) => child[Symbol.asyncDispose]()));
  }
}

export class Publishers implements AsyncDisposable {
  readonly #child = spawn("publishers");

  run(spec: PublishersSpec): Promise<PublishersReport> {
    return this.#child.ask(spec);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#child[Symbol.asyncDispose]();
  }
}

/** As even as may be, without empty ones. */
function shares(count: number, among: number): number[] {
  const parts = Math.min(count, among);
  return Array.from({ length: parts }, (_, at) => Math.floor((count + at) / parts));
}

/** The control bus of a single node: it asks itself. */
import type { ControlAnswers, ControlBus } from "../../core/engine.ts";
import type { Timers } from "../../core/runtime.ts";

export interface ControlOptions {
  readonly nodeId: string;
  readonly timers: Timers;
  /** Throws once the engine is closed. */
  readonly requireOpen: () => void;
  /** What the handler threw; its node then gives no answer. */
  readonly onBug: (error: unknown) => void;
}

export function createControl({ nodeId, timers, requireOpen, onBug }: ControlOptions): ControlBus {
  let handler: ((request: unknown) => unknown) | undefined;

  async function answer(request: unknown): Promise<readonly unknown[]> {
    if (handler === undefined) return [];
    try {
      return [await handler(request)];
    } catch (error) {
      onBug(error);
      return [];
    }
  }

  return {
    nodeId,

    serve(next) {
      handler = next;
    },

    async ask(request, deadlineMs, node = nodeId): Promise<ControlAnswers> {
      requireOpen();
      if (node !== nodeId) return { answers: [], nodesAsked: 1 };
      const { promise: late, resolve } = Promise.withResolvers<readonly unknown[]>();
      const deadline = timers.after(deadlineMs, () => resolve([]));
      const answers = await Promise.race([answer(request), late]);
      deadline.cancel();
      return { answers, nodesAsked: 1 };
    },
  };
}

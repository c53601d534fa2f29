/** Pushes to whom one likes, and the call that does it. */
import { batch, computed, signal } from "@preact/signals";
import { callOf, protocolCallOf, reachedBy, type ProtocolCall, type TargetKind } from "./calls.ts";
import type { Panes } from "./panes.ts";
import { callApi, type ApiCall } from "./server.ts";

export class PushModel {
  readonly panes: Panes;
  readonly channel = signal("");
  readonly kind = signal<TargetKind>("channel");
  readonly target = signal("");
  readonly data = signal('{"text":"Hello, all of you"}');
  /** The line that was copied last. */
  readonly copied = signal("");
  readonly outcome = signal<Outcome | undefined>(undefined);
  /** What would be called; a text: why nothing can be. */
  readonly calls = computed<Calls | string>(() => this.#calls());

  constructor(panes: Panes) {
    this.panes = panes;
    void panes.channel.then((name) => {
      this.channel.value = name;
      this.target.value = this.suggestions()[0] ?? "";
    });
  }

  choose(kind: TargetKind): void {
    batch(() => {
      this.kind.value = kind;
      this.target.value = this.suggestions()[0] ?? "";
    });
  }

  /** Targets of this kind that the panes have. */
  suggestions(): readonly string[] {
    const opened = this.panes.opened.value;
    const idsOf = (isTask: boolean) =>
      opened
        .filter(({ about }) => (about.dialect === "tasks") === isTask)
        .map(({ connectionId }) => connectionId.value);
    switch (this.kind.value) {
      case "channel":
        return [this.channel.value];
      case "pattern":
        return ["^ch_"];
      case "user":
        return ["ada", "ben"];
      case "role":
        return ["recvonly", "sendonly", "sendrecv"];
      case "client":
        return ["ben"];
      case "connection":
        return idsOf(false);
      case "task":
        return idsOf(true);
    }
  }

  async push(): Promise<void> {
    const calls = this.calls.value;
    if (typeof calls === "string") return;
    try {
      const answer = await callApi(calls.call);
      const reached = reachedBy(answer);
      this.outcome.value = { status: answer.status, text: answer.body.trim(), reached };
    } catch (error) {
      this.outcome.value = { status: 0, text: String(error), reached: "" };
    }
  }

  #calls(): Calls | string {
    const [kind, target, channel, data] = [
      this.kind.value,
      this.target.value,
      this.channel.value,
      this.data.value,
    ];
    const sora = this.panes.find("sora");
    const isSora = sora?.connectionId.value === target;
    if (target === "")
      return kind === "task" ? "Open the pane of Tasks first" : "Say whom it is for";
    try {
      const push = { kind, target, channel, data, isSora, app: this.panes.settings.app };
      return { call: callOf(push), own: protocolCallOf(push) };
    } catch (error) {
      return error instanceof Error ? error.message : String(error);
    }
  }
}

export interface Calls {
  readonly call: ApiCall;
  readonly own: ProtocolCall | undefined;
}

export interface Outcome {
  /** 0: there was no answer. */
  readonly status: number;
  readonly text: string;
  readonly reached: string;
}

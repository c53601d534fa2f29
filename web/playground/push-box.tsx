/** Pushes to whom one likes, and shows the call that does it. */
import { batch, computed, signal } from "@preact/signals";
import { callOf, curlOf, reachedBy, TARGETS, type TargetKind } from "./calls.ts";
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
  readonly call = computed<ApiCall | string>(() => this.#call());

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
    const call = this.call.value;
    if (typeof call === "string") return;
    const kind = this.kind.value;
    try {
      const answer = await callApi(call);
      const reached = reachedBy({ kind }, answer);
      this.outcome.value = { status: answer.status, text: answer.body.trim(), reached };
    } catch (error) {
      this.outcome.value = { status: 0, text: String(error), reached: "" };
    }
  }

  #call(): ApiCall | string {
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
      return callOf({ kind, target, channel, data, isSora, app: this.panes.settings.app });
    } catch (error) {
      return error instanceof Error ? error.message : String(error);
    }
  }
}

interface Outcome {
  /** 0: there was no answer. */
  readonly status: number;
  readonly text: string;
  readonly reached: string;
}

export function PushBox({ model }: { model: PushModel }) {
  const call = model.call.value;
  return (
    <section class="card push" aria-labelledby="push-title">
      <h2 id="push-title">Push</h2>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          void model.push();
        }}
      >
        <label>
          To
          <select
            name="kind"
            value={model.kind.value}
            onChange={(event) => model.choose(event.currentTarget.value as TargetKind)}
          >
            {Object.entries(TARGETS).map(([kind, [name]]) => (
              <option key={kind} value={kind}>
                {name}
              </option>
            ))}
          </select>
        </label>
        <label>
          {TARGETS[model.kind.value][1]}
          <input
            name="target"
            list="targets"
            autocomplete="off"
            spellcheck={false}
            value={model.target.value}
            onInput={(event) => (model.target.value = event.currentTarget.value)}
          />
        </label>
        <datalist id="targets">
          {model.suggestions().map((value) => (
            <option key={value} value={value} />
          ))}
        </datalist>
        <label class="wide">
          Payload, as JSON
          <textarea
            name="data"
            rows={2}
            spellcheck={false}
            value={model.data.value}
            onInput={(event) => (model.data.value = event.currentTarget.value)}
          />
        </label>
        <button class="main" disabled={typeof call === "string"}>
          Push
        </button>
        <p class="bad why" role="status">
          {typeof call === "string" && model.channel.value !== "" ? call : ""}
        </p>
      </form>
      {typeof call !== "string" && (
        <Curl model={model} text={curlOf(model.panes.settings.apiUrl, call)} />
      )}
      <div class="outcome" role="status" aria-live="polite">
        {model.outcome.value && <Result outcome={model.outcome.value} />}
      </div>
    </section>
  );
}

function Curl({ model: { copied }, text }: { model: PushModel; text: string }) {
  return (
    <div class="curl">
      <pre tabIndex={0} aria-label="The call for a terminal">
        {text}
      </pre>
      <button
        onClick={() => void navigator.clipboard.writeText(text).then(() => (copied.value = text))}
      >
        {copied.value === text ? "Copied" : "Copy"}
      </button>
    </div>
  );
}

function Result({ outcome: { status, text, reached } }: { outcome: Outcome }) {
  return (
    <>
      <p>
        <b class={status === 200 ? "good" : "bad"}>{status === 0 ? "No answer" : status}</b>{" "}
        {reached}
      </p>
      <pre class="answer" tabIndex={0} aria-label="The answer">
        {text}
      </pre>
    </>
  );
}

import { curlOf, TARGETS, type TargetKind } from "./calls.ts";
import type { Calls, Outcome, PushModel } from "./push-model.ts";

export function PushBox({ model }: { model: PushModel }) {
  const calls = model.calls.value;
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
        <button class="main" disabled={typeof calls === "string"}>
          Push
        </button>
        <p class="bad why" role="status">
          {typeof calls === "string" && model.channel.value !== "" ? calls : ""}
        </p>
      </form>
      {typeof calls !== "string" && <CallLines model={model} calls={calls} />}
      <div class="outcome" role="status" aria-live="polite">
        {model.outcome.value && <Result outcome={model.outcome.value} />}
      </div>
    </section>
  );
}

function CallLines({ model, calls: { call, own } }: { model: PushModel; calls: Calls }) {
  const { apiUrl } = model.panes.settings;
  return (
    <>
      <Curl model={model} label="The call for a terminal" text={curlOf(apiUrl, call)} />
      {own !== undefined && (
        <details>
          <summary>{`The same from a backend, by the API of ${own.of}`}</summary>
          <Curl model={model} label="A backend’s call" text={curlOf(apiUrl, own.call)} />
        </details>
      )}
    </>
  );
}

function Curl(props: { model: PushModel; label: string; text: string }) {
  const { label, text } = props;
  const { copied } = props.model;
  return (
    <div class="curl">
      <pre tabIndex={0} aria-label={label}>
        {text}
      </pre>
      <button
        onClick={() => {
          navigator.clipboard.writeText(text).then(
            () => (copied.value = text),
            // Not allowed: it can be marked and copied by hand.
            () => {},
          );
        }}
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

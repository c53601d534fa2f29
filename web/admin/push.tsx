/** A push to one target, which says how many it matched. */
import { useState } from "preact/hooks";
import { messageOf, type Api } from "./api.ts";
import { Choice, Counts, Field } from "./parts.tsx";
import { place } from "./route.ts";

const TARGETS = {
  channel: "a channel",
  pattern: "channels by RE2 pattern",
  user: "a user",
  connection: "a connection",
  label: "a label, such as role:recvonly",
};

interface Pushed {
  readonly matched: number;
  readonly by_dialect: Readonly<Record<string, number>>;
  readonly channels?: number;
  readonly position?: { readonly offset: number };
}

export function Push({ api }: { api: Api }) {
  const [kind, setKind] = useState("channel");
  const [target, setTarget] = useState(place.value.about);
  const [event, setEvent] = useState("");
  const [data, setData] = useState('{"text":"Hello"}');
  const [outcome, setOutcome] = useState<Pushed | string | undefined>(undefined);
  const wrong = isJson(data) ? "" : "The payload is not JSON";

  async function push(): Promise<void> {
    setOutcome(undefined);
    const named = { [kind]: target, ...(event === "" ? {} : { event }) };
    // Spliced, so that it goes out as it was written.
    const body = `${JSON.stringify(named).slice(0, -1)},"data":${data}}`;
    setOutcome(await api.postText<Pushed>("push", body).catch(messageOf));
  }

  return (
    <section aria-label="Push">
      <form
        class="push"
        onSubmit={(submitted) => {
          submitted.preventDefault();
          void push();
        }}
      >
        <div class="row">
          <Choice label="To" value={kind} options={TARGETS} onChange={setKind} />
          <Field label="Its name" value={target} onInput={setTarget} />
          <Field label="Event, if need be" value={event} onInput={setEvent} />
        </div>
        <label class="field">
          Payload, as JSON
          <textarea
            rows={4}
            spellcheck={false}
            value={data}
            onInput={(input) => setData(input.currentTarget.value)}
          />
        </label>
        <div class="row">
          <button class="main" disabled={target === "" || wrong !== ""}>
            Push
          </button>
          <span class="bad" role="status">
            {wrong}
          </span>
        </div>
      </form>
      <p class="outcome" role="status">
        {typeof outcome === "string" && <span class="bad">{outcome}</span>}
        {typeof outcome === "object" && <Outcome pushed={outcome} />}
      </p>
    </section>
  );
}

function Outcome({ pushed: { matched, by_dialect, channels, position } }: { pushed: Pushed }) {
  return (
    <>
      <b class="good">It matched {matched}</b>
      {matched > 0 && (
        <>
          : <Counts counts={by_dialect} />
        </>
      )}
      {channels !== undefined && `, in ${channels} channels`}
      {position !== undefined && `, at offset ${position.offset}`}
    </>
  );
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

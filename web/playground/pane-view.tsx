import type { Frame, Line, Pane } from "./pane.ts";
import { useEnd } from "./use-end.ts";

const STATES = { open: "connected", connecting: "connecting", closed: "closed" };
const CLASSES = { open: "good", connecting: "quiet", closed: "bad" };

export interface PaneProps {
  readonly pane: Pane;
  readonly onReconnect: () => void;
  readonly onClose: () => void;
}

export function PaneView({ pane, onReconnect, onClose }: PaneProps) {
  const { title, library, user, saying, dialect } = pane.about;
  return (
    <section class="card pane" aria-labelledby={`title-${dialect}`} data-pane={dialect}>
      <header>
        <div class="row">
          <h3 id={`title-${dialect}`}>{title}</h3>
          <span class={`state ${CLASSES[pane.state.value]}`} role="status">
            {STATES[pane.state.value]}
          </span>
          <span class="quiet small detail">{pane.detail}</span>
          <button class="close" aria-label={`Close the pane of ${title}`} onClick={onClose}>
            ×
          </button>
        </div>
        <p class="quiet small">
          <code>{library}</code>
          {`${user === "" ? "" : ` as ${user}`}; ${saying}`}
        </p>
        <p class="quiet small">
          {user === "" ? "Task " : "Connection "}
          <code class="connection">{pane.connectionId}</code>
        </p>
      </header>
      <Lines lines={pane.lines.value} title={title} />
      <Say pane={pane} title={title} />
      <Buttons pane={pane} onReconnect={onReconnect} />
      <Frames frames={pane.frames.value} held={pane.heldFrames.value} title={title} />
    </section>
  );
}

function Lines({ lines, title }: { lines: readonly Line[]; title: string }) {
  const end = useEnd<HTMLDivElement>(lines);
  return (
    <div class="lines" ref={end} role="log" tabIndex={0} aria-label={`Messages of ${title}`}>
      <ol>
        {lines.map(({ id, from, text, note }) =>
          note === true ? (
            <li key={id} class="note quiet">
              {text}
            </li>
          ) : (
            <li key={id}>
              <b>{from === "" ? "server" : from}</b> <span class="text">{text}</span>
            </li>
          ),
        )}
      </ol>
    </div>
  );
}

function Say({ pane, title }: { pane: Pane; title: string }) {
  return (
    <form
      class="say"
      onSubmit={(event) => {
        event.preventDefault();
        const { text } = event.currentTarget.elements as unknown as { text: HTMLInputElement };
        if (text.value !== "") void pane.say(text.value);
        text.value = "";
      }}
    >
      <input
        name="text"
        autocomplete="off"
        aria-label={`Say something in ${title}`}
        placeholder="Say something"
      />
      <button disabled={pane.state.value !== "open"}>Send</button>
    </form>
  );
}

function Buttons({ pane, onReconnect }: { pane: Pane; onReconnect: () => void }) {
  const cut = pane.cutSeconds.value;
  return (
    <div class="row buttons">
      <button disabled={cut > 0} onClick={() => pane.cutNetwork()}>
        {cut > 0 ? `Network back in ${cut} s` : "Cut the network for 5 s"}
      </button>
      <button onClick={() => pane.toggleReading()}>
        {pane.isHolding.value ? "Read on" : "Stop reading"}
      </button>
      <button disabled={cut > 0} onClick={onReconnect}>
        Reconnect
      </button>
    </div>
  );
}

function Frames(props: { frames: readonly Frame[]; held: number; title: string }) {
  const { frames, held, title } = props;
  const end = useEnd<HTMLDivElement>(frames);
  return (
    <div class="wire">
      <p class="quiet small">
        Frames, with positions where the protocol has them
        {held > 0 && <b class="held">{`; ${held} not read`}</b>}
      </p>
      <div class="frames" ref={end} role="log" tabIndex={0} aria-label={`Frames of ${title}`}>
        <ol>
          {frames.map(({ id, direction, label, text, positions }) => (
            <li key={id} class={direction}>
              <span class="direction" title={direction === "in" ? "received" : "sent"}>
                {direction === "in" ? "←" : "→"}
              </span>
              {label !== undefined && <span class="label">{label}</span>}
              {positions !== "" && <span class="position">{positions}</span>}
              <span class="text">{text}</span>
            </li>
          ))}
        </ol>
      </div>
    </div>
  );
}

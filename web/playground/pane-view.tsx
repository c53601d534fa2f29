import type { Line, Pane } from "./pane.ts";
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
      <Frames pane={pane} title={title} />
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
      <button onClick={() => pane.toggleReading()}>{readingLabel(pane)}</button>
      {pane.isHolding.value && pane.canFillUp && (
        <button disabled={pane.backlog.isFilling.value} onClick={() => void pane.fillUp()}>
          Fill it up
        </button>
      )}
      <button disabled={cut > 0} onClick={onReconnect}>
        Reconnect
      </button>
    </div>
  );
}

/** Frames that the browser has read can only be kept from the client: the server notices nothing. */
function readingLabel({ isHolding, isStoppable }: Pane): string {
  if (isHolding.value) return "Read on";
  return isStoppable.value ? "Stop reading" : "Keep frames back";
}

function unreadText({ isHolding, isStoppable, heldFrames, backlog }: Pane): string {
  const held = heldFrames.value > 0 ? `; ${heldFrames.value} kept back in this page` : "";
  if (!isHolding.value || !isStoppable.value) return held;
  return `${held}; not read: ${backlog.unsentBytes.value.toLocaleString()} bytes wait on the server`;
}

function Frames({ pane, title }: { pane: Pane; title: string }) {
  const frames = pane.frames.value;
  const unread = unreadText(pane);
  const end = useEnd<HTMLDivElement>(frames);
  return (
    <div class="wire">
      <p class="quiet small">
        Frames, with positions where the protocol has them
        {unread !== "" && <b class="held">{unread}</b>}
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

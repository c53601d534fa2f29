import { PaneView } from "./pane-view.tsx";
import type { Panes } from "./panes.ts";
import { PushBox } from "./push-box.tsx";
import type { PushModel } from "./push-model.ts";
import type { ServerState } from "./server-state.ts";
import type { Settings } from "./server.ts";
import { NEWS } from "./surroundings.ts";

export interface AppProps {
  readonly panes: Panes;
  readonly push: PushModel;
  readonly server: ServerState;
}

export function App({ panes, push, server }: AppProps) {
  const { settings } = panes;
  return (
    <>
      <header class="top">
        <div>
          <h1>
            <img src="./favicon.ico" alt="" width="24" height="24" /> Carillon
          </h1>
          <p class="quiet">
            Version {settings.version}, in development mode. Each pane runs its protocol’s own
            client. They share the channel <code class="channel">{push.channel.value || "…"}</code>;
            Streaming and gusher listen to <code>{NEWS}</code> as well, where the README pushes.
          </p>
        </div>
        {settings.canRestart && <Restart server={server} />}
      </header>
      <main>
        <PushBox model={push} />
        <Closed panes={panes} />
        <div class="panes">
          {panes.opened.value.map((pane) => (
            <PaneView
              key={pane.about.dialect}
              pane={pane}
              onReconnect={() => panes.reconnect(pane)}
              onClose={() => panes.close(pane)}
            />
          ))}
        </div>
        <Addresses settings={settings} />
      </main>
    </>
  );
}

function Restart({ server }: { server: ServerState }) {
  const isRestarting = server.isRestarting.value;
  const count = server.restarts.value;
  return (
    <div class="restart">
      <button disabled={isRestarting} onClick={() => void server.restart()}>
        Restart the server
      </button>
      <p class="quiet small" role="status">
        {isRestarting && "It restarts …"}
        {!isRestarting && count > 0 && `It is back, restart ${count}`}
        <span class="bad">{server.failure}</span>
      </p>
    </div>
  );
}

/** Panes that are not open. */
function Closed({ panes }: { panes: Panes }) {
  const closed = panes.all.filter((pane) => !panes.opened.value.includes(pane));
  if (closed.length === 0) return null;
  return (
    <nav class="row closed" aria-label="Further panes">
      <span class="quiet">Open a pane:</span>
      {closed.map((pane) => (
        <button key={pane.about.dialect} onClick={() => void panes.open(pane)}>
          {pane.about.title}
        </button>
      ))}
      {closed.length > 1 && (
        <button onClick={() => void Promise.all(closed.map((pane) => panes.open(pane)))}>
          All
        </button>
      )}
    </nav>
  );
}

function Addresses({ settings }: { settings: Settings }) {
  const origin = location.origin.replace(/^http/, "ws");
  return (
    <details class="card addresses">
      <summary>Addresses, and commands to try in a terminal</summary>
      <dl>
        {settings.sockets.map(({ dialect, path }) => (
          <div key={dialect}>
            <dt>{dialect}</dt>
            <dd>
              <code>{origin + path}</code>
            </dd>
          </div>
        ))}
        <div>
          <dt>API</dt>
          <dd>
            <code>{settings.apiUrl}</code>
          </dd>
        </div>
      </dl>
      {settings.tryIt.map((command) => (
        <pre key={command} tabIndex={0}>
          {command}
        </pre>
      ))}
    </details>
  );
}

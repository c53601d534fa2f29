import type { ComponentChild } from "preact";
import { useState } from "preact/hooks";
import type { Api, Server } from "./api.ts";
import { Channels } from "./channels.tsx";
import { Connections } from "./connections.tsx";
import { Messaging } from "./messaging.tsx";
import { Nodes } from "./nodes.tsx";
import { Push } from "./push.tsx";
import { Refusals } from "./refusals.tsx";
import { addressOf, place } from "./route.ts";
import { Tasks } from "./tasks.tsx";
import { Webhooks } from "./webhooks.tsx";

interface Part {
  readonly name: string;
  readonly title: string;
  /** Shown where this dialect is served. Absent: always. */
  readonly dialect?: string;
  readonly show: (api: Api) => ComponentChild;
}

const PARTS: readonly Part[] = [
  { name: "nodes", title: "Nodes", show: (api) => <Nodes api={api} /> },
  { name: "channels", title: "Channels", show: (api) => <Channels api={api} /> },
  { name: "connections", title: "Connections", show: (api) => <Connections api={api} /> },
  { name: "push", title: "Push", show: (api) => <Push api={api} /> },
  { name: "refusals", title: "Refusals", show: (api) => <Refusals api={api} /> },
  { name: "tasks", title: "Tasks", dialect: "tasks", show: (api) => <Tasks api={api} /> },
  { name: "webhooks", title: "Webhooks", dialect: "events", show: (api) => <Webhooks api={api} /> },
  {
    ...{ name: "messaging", title: "Messaging", dialect: "messaging" },
    show: (api) => <Messaging api={api} />,
  },
];

export function App({ api }: { api: Api }) {
  const server = api.server.value;
  if (api.needsKey.value) return <KeyForm api={api} />;
  if (server === undefined) {
    return (
      <main>
        <h1>Carillon console</h1>
        <p role="status" class="bad">
          {api.trouble.value}
        </p>
      </main>
    );
  }
  const parts = PARTS.filter(
    ({ dialect = "" }) => dialect === "" || server.dialects.includes(dialect),
  );
  const shown = parts.find(({ name }) => name === place.value.part) ?? PARTS[0];
  return (
    <>
      <Top api={api} server={server} />
      <nav class="parts" aria-label="Parts of the console">
        {parts.map(({ name, title }) => (
          <a
            key={name}
            href={addressOf(name)}
            aria-current={name === shown?.name ? "page" : undefined}
          >
            {title}
          </a>
        ))}
      </nav>
      <main key={`${shown?.name ?? ""} ${server.app}`}>{shown?.show(api)}</main>
    </>
  );
}

function Top({ api, server }: { api: Api; server: Server }) {
  return (
    <header class="row top">
      <h1>
        <img src="./favicon.ico" alt="" width="24" height="24" /> Carillon console
      </h1>
      <p class="quiet grow">
        Version {server.version} on the {server.engine} engine: {server.dialects.join(", ")}
      </p>
      {server.apps.length > 1 && (
        <label class="row">
          App
          <select
            value={server.app}
            onChange={(event) => void api.useApp(event.currentTarget.value)}
          >
            {server.apps.map((app) => (
              <option key={app}>{app}</option>
            ))}
          </select>
        </label>
      )}
    </header>
  );
}

function KeyForm({ api }: { api: Api }) {
  const [key, setKey] = useState("");
  return (
    <main class="card key">
      <h1>Carillon console</h1>
      <p>
        An API key with the scope <code>admin</code> is needed here;{" "}
        <code>carillon key --scope admin</code> makes one. It is kept in this tab of the browser
        until that is closed.
      </p>
      <form
        class="row"
        onSubmit={(event) => {
          event.preventDefault();
          void api.useKey(key);
        }}
      >
        <label class="field grow">
          API key
          <input
            type="password"
            autocomplete="off"
            value={key}
            onInput={(event) => setKey(event.currentTarget.value)}
          />
        </label>
        <button class="main" disabled={key === ""}>
          Show the console
        </button>
      </form>
      <p class="bad" role="status">
        {api.trouble.value}
      </p>
    </main>
  );
}

/** The playground: see `src/playground/`. */
import { render } from "preact";
import { App } from "./app.tsx";
import { Panes } from "./panes.ts";
import { PushModel } from "./push-model.ts";
import { ServerState } from "./server-state.ts";
import { loadSettings } from "./server.ts";

const settings = await loadSettings();
const panes = new Panes(settings);
const server = new ServerState(settings.startedAt);
render(<App panes={panes} push={new PushModel(panes)} server={server} />, document.body);
panes.openFirst();

/** The console: what the admin API shows and does (docs/admin.md), by its calls alone. */
import { render } from "preact";
import { Api } from "./api.ts";
import { App } from "./app.tsx";

const api = new Api();
render(<App api={api} />, document.body);
await api.load();

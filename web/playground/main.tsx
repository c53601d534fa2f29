import { render } from "preact";
render(<h1>Carillon</h1>, document.body);

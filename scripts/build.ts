/** `prepack` makes the compiled modules of the package, `npm run build` one file of the server for the platform that it runs on. */
import { join, resolve } from "node:path";
import { buildFile, buildPackage, ROOT } from "./server-bundle.ts";

const [file] = process.argv.slice(2);
if (file === undefined) await buildPackage();
else await buildFile({ outfile: resolve(file), packages: join(ROOT, "node_modules") });

/** RE2 expressions, loaded for the first one: no configuration or client need have any. */
import { lazy } from "./lazy.ts";

export type { RE2JS } from "re2js";

export const loadRe2 = lazy(() => (require("re2js") as typeof import("re2js")).RE2JS);

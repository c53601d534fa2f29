/**
 * The dialects that this build speaks, in the order in which they are set up and mounted: tasks' calls on others' paths and gusher's
 * routes below streaming's prefix are found before streaming takes them for methods, and events registers as the authority over its
 * tokens before streaming asks who is.
 */
import { events } from "./events/index.ts";
import { gusher } from "./gusher/index.ts";
import { messaging } from "./messaging/index.ts";
import { streaming } from "./streaming/index.ts";
import { tasks } from "./tasks/index.ts";

export const DIALECTS = [tasks, gusher, events, messaging, streaming] as const;

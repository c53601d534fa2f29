/**
 * The dialects that this build speaks, in the order in which they are set up and mounted: tasks' calls on others' paths and gusher's
 * routes below streaming's prefix are found before Sora and streaming take them for theirs, and events registers as the authority over
 * its tokens before streaming asks who is.
 */
import { events } from "./events/index.ts";
import { gusher } from "./gusher/index.ts";
import { messaging } from "./messaging/index.ts";
import { sora } from "./sora/index.ts";
import { streaming } from "./streaming/index.ts";
import { tasks } from "./tasks/index.ts";

export const DIALECTS = [tasks, sora, gusher, events, messaging, streaming] as const;

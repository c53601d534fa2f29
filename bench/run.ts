/** All benchmarks, one after the other, and the budgets in one table: `npm run bench`. A look: `npm run bench -- --quick`. */
import { benchChannels } from "./channels.ts";
import { benchConnects } from "./connects.ts";
import { benchConsole } from "./console.ts";
import { benchCpu } from "./cpu.ts";
import { benchEventsTokens } from "./events-tokens.ts";
import { benchFanOut } from "./fanout.ts";
import { main } from "./harness/main.ts";
import { benchFlood } from "./flood.ts";
import { benchHostilePatterns } from "./hostile-patterns.ts";
import { benchHttpPublish } from "./http-publish.ts";
import { benchLatency } from "./latency.ts";
import { benchManyChannels } from "./many-channels.ts";
import { benchMemory } from "./memory.ts";
import { benchMessaging } from "./messaging.ts";
import { benchPatternPush } from "./pattern-push.ts";
import { benchStart } from "./start.ts";
import { benchStorm } from "./storm.ts";
import { benchTasks } from "./tasks.ts";
import { benchWebhooks } from "./webhooks.ts";
import { benchWebrtc } from "./webrtc.ts";

await main(
  benchHttpPublish,
  benchFanOut,
  benchManyChannels,
  benchLatency,
  benchCpu,
  benchMemory,
  benchConnects,
  benchStorm,
  benchFlood,
  benchStart,
  benchEventsTokens,
  benchWebhooks,
  benchChannels,
  benchPatternPush,
  benchTasks,
  benchMessaging,
  benchConsole,
  benchHostilePatterns,
  benchWebrtc,
);

/**
 * All benchmarks, into a file and from there into the page: `npm run bench -- --runs 5 --json FILE`, then
 * `npm run bench -- --report FILE`.
 */
import { benchChannels } from "./channels.ts";
import { benchConnects } from "./connects.ts";
import { benchConsole } from "./console.ts";
import { benchEventsTokens } from "./events-tokens.ts";
import { benchFanOut } from "./fanout.ts";
import { benchFlood } from "./flood.ts";
import { benchGusherBatch } from "./gusher-batch.ts";
import { main } from "./harness/main.ts";
import { benchHostilePatterns } from "./hostile-patterns.ts";
import { benchHttpPublish } from "./http-publish.ts";
import { benchLatency } from "./latency.ts";
import { benchManyChannels } from "./many-channels.ts";
import { benchMemory } from "./memory.ts";
import { benchMessaging } from "./messaging.ts";
import { benchPatternPush } from "./pattern-push.ts";
import { benchRedisClients } from "./redis-clients.ts";
import { benchRedisQueue } from "./redis-queue.ts";
import { benchRedisStorms } from "./redis-storms.ts";
import { benchRedis } from "./redis.ts";
import { benchSessions } from "./sessions.ts";
import { benchStart } from "./start.ts";
import { benchStorm } from "./storm.ts";
import { benchTasks } from "./tasks.ts";
import { benchWebhooks } from "./webhooks.ts";
import { benchWebrtc } from "./webrtc.ts";
import { benchWorkers } from "./workers.ts";

await main(
  [
    ...[benchStart, benchHttpPublish, benchRedis, benchWorkers, benchFanOut, benchManyChannels],
    ...[benchMessaging, benchLatency, benchMemory, benchSessions, benchConnects, benchStorm],
    ...[benchFlood, benchConsole, benchGusherBatch, benchPatternPush, benchWebrtc],
  ],
  [
    ...[benchChannels, benchTasks, benchEventsTokens, benchWebhooks, benchHostilePatterns],
    ...[benchRedisStorms, benchRedisClients, benchRedisQueue],
  ],
);

/** One app's lists for workers of other make. Their keys have no prefix: the workers' side decides what they are called. */
import type { WorkerLists } from "../../core/engine.ts";
import { HubError } from "../../core/errors.ts";
import { JOB_PAYLOAD_BYTES_MAX, QUEUE_JOBS_MAX } from "../../core/limits.ts";
import { LIST_PUSH } from "./queue-scripts.ts";
import type { RedisServers } from "./client/contract.ts";

export function createRedisLists(app: string, { shards }: RedisServers): WorkerLists {
  // Workers know one address. Among several servers it is the first that the configuration names.
  const [shard] = shards;
  return {
    async push(name, text) {
      if (Buffer.byteLength(text) > JOB_PAYLOAD_BYTES_MAX) {
        throw tooMuch(`Cannot push to a list: the text exceeds ${JOB_PAYLOAD_BYTES_MAX} bytes`);
      }
      const key = `${app}@${name}`;
      const reply = await shard?.run(LIST_PUSH, [key], [text, QUEUE_JOBS_MAX]);
      if (reply === "other") {
        throw new HubError(
          "unavailable",
          `Cannot push to a list: the key "${key}" holds something else`,
        );
      }
      if (reply !== "pushed") {
        throw tooMuch(`Cannot push to a list: "${key}" holds ${QUEUE_JOBS_MAX} entries`);
      }
    },
  };
}

function tooMuch(message: string): HubError {
  return new HubError("limit_exceeded", message);
}

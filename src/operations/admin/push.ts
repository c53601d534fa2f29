/** A push to a channel, a pattern of channels, a user, a connection or a label, and how many it matched of each dialect. */
import { z } from "zod";
import { sumOf, type Occupancy } from "../../core/pages.ts";
import { CHANNELS, type NewPublication, type Target } from "../../core/types.ts";
import {
  AdminError,
  adminOperation,
  jsonText,
  type AdminOperation,
} from "../../dialects/admin-operation.ts";
import { channelName, occupancyAnswer, total } from "./channels.ts";
import { reachedAnswer } from "./connections.ts";
import { appOf, type AdminApp, type AdminContext } from "./context.ts";

const named = z.string().min(1, "must not be empty");

const request = z.strictObject({
  channel: channelName.optional(),
  pattern: named.optional().describe("An RE2 expression: every channel in whose name it is found."),
  user: named.optional(),
  connection: named.optional(),
  label: named
    .optional()
    .describe("What dialects find their connections by, such as Sora's `role:recvonly`."),
  data: jsonText,
  event: z.string().optional().describe("The event's name, for dialects whose clients bind to it."),
});

const TARGETS = ["channel", "pattern", "user", "connection", "label"] as const;

type Pushed = z.output<typeof request>;

export function pushOperations(context: AdminContext): readonly AdminOperation[] {
  return [
    adminOperation({
      method: "POST",
      path: "push",
      publishes: true,
      summary: "Push to one target, and tell how many connections it matched by dialect",
      request,
      raw: ["data"],
      answer: z.strictObject({
        matched: z.int().min(0),
        by_dialect: occupancyAnswer,
        channels: z.int().min(0).optional().describe("Of a pattern: how many it found."),
        position: z
          .strictObject({ epoch: z.string(), offset: z.int().min(1) })
          .optional()
          .describe("Of a channel that keeps history."),
        nodes_answered: reachedAnswer.nodes_answered.optional(),
        nodes_asked: reachedAnswer.nodes_asked.optional(),
      }),
      async run(call) {
        const { request: asked } = call;
        if (TARGETS.filter((name) => asked[name] !== undefined).length !== 1) {
          const one = TARGETS.map((name) => `"${name}"`).join(", ");
          throw new AdminError("bad_request", `Give one target: ${one}`);
        }
        const { occupancy, ...rest } = await push(context, appOf(context, call), asked);
        return { matched: total(occupancy), by_dialect: occupancy, ...rest };
      },
    }),
  ];
}

async function push(
  { dialects, hearsIn, metrics }: AdminContext,
  { hub }: AdminApp,
  asked: Pushed,
) {
  const { channel, pattern, data, event } = asked;
  metrics.count("publications", { dialect: "admin", by: "server" });
  const publication: NewPublication = {
    data,
    ...(event === undefined ? {} : { tags: { event } }),
  };
  const spaces = [CHANNELS, ...hearsIn];
  if (pattern !== undefined) {
    const counted = spaces.map((space) => hub.occupancy({ space, pattern }));
    const occupancy = sumOf(await Promise.all(counted));
    return { occupancy, channels: await hub.publishMatching({ pattern }, publication, hearsIn) };
  }
  if (channel !== undefined) {
    const counted = spaces.map((space) => hub.occupancy({ space, name: channel }));
    const occupancy = sumOf(await Promise.all(counted));
    const position = await hub.publish({ space: CHANNELS, name: channel }, publication);
    return { occupancy, ...(position === undefined ? {} : { position }) };
  }
  const target = targetOf(asked);
  const reached = await Promise.all(
    dialects.map(async (dialect) => {
      return { dialect, ...(await hub.push({ ...target, reach: [dialect] }, publication)) };
    }),
  );
  const found = reached.filter(({ matched }) => matched > 0);
  const occupancy: Occupancy = Object.fromEntries(
    found.map(({ dialect, matched }) => [dialect, matched]),
  );
  return {
    occupancy,
    nodes_answered: Math.min(...reached.map(({ nodesAnswered }) => nodesAnswered)),
    nodes_asked: Math.max(...reached.map(({ nodesAsked }) => nodesAsked)),
  };
}

/** Of a push outside channels. */
function targetOf({ user, connection, label = "" }: Pushed): Target {
  if (user !== undefined) return { user };
  return connection === undefined ? { label } : { connection };
}

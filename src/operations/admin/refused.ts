/** The last refusals of all nodes, newest first. */
import { z } from "zod";
import {
  adminOperation,
  cursorOf,
  isoTime,
  pageAnswer,
  pageRequest,
  placeOf,
  type AdminOperation,
} from "../../dialects/admin-operation.ts";
import { REFUSALS_KEPT_MAX, type RefusalQuery, type RefusalRow } from "../refusals.ts";
import { appOf, type AdminContext } from "./context.ts";

/** By which nodes are asked for theirs. */
const SERVICE = "admin/refusals";

type Asked = Omit<RefusalQuery, "node">;
type NodeRefusal = RefusalRow & { readonly node: string };

const text = z.string();

const refusalAnswer = z
  .strictObject({
    ...{ at: z.iso.datetime(), node: text },
    event: text.describe("What was refused, in the words of the log."),
    dialect: text.optional(),
    detail: text.describe("Why."),
    times: z
      .int()
      .min(1)
      .describe("Refused alike, soon one behind the other; `at` is the last one's."),
    about: z
      .record(text, z.union([text, z.number(), z.boolean()]))
      .describe("What else is known: connection, address, method, code, …"),
  })
  .meta({ title: "admin_refusal" });

export function refusalOperations(context: AdminContext): readonly AdminOperation[] {
  const { refusals, apps } = context;
  for (const { hub } of apps.values()) {
    hub.serve(SERVICE, (query) =>
      refusals
        .list({ ...(query as Asked), node: hub.nodeId })
        .map((row) => ({ ...row, node: hub.nodeId })),
    );
  }
  return [
    adminOperation({
      method: "GET",
      path: "refusals",
      summary: `The last refusals with their reasons, newest first; a node keeps ${REFUSALS_KEPT_MAX}`,
      request: z.strictObject({ dialect: text.optional(), ...pageRequest }),
      answer: pageAnswer(refusalAnswer),
      async run(call) {
        const { dialect, limit, cursor } = call.request;
        const query: Asked = {
          ...{ limit: limit + 1, app: call.app, ofNobody: call.seesServer },
          ...(dialect === undefined ? {} : { dialect }),
          ...(cursor === undefined ? {} : { before: placeOf(cursor) }),
        };
        const answers = await appOf(context, call).hub.ask(SERVICE, query);
        const rows = (answers as NodeRefusal[][]).flat().sort((a, b) => (a.key < b.key ? 1 : -1));
        const shown = rows.slice(0, limit);
        const next = rows.length > limit ? shown.at(-1)?.key : undefined;
        return {
          data: shown.map(refusalView),
          ...(next === undefined ? {} : { next: cursorOf(next) }),
        };
      },
    }),
  ];
}

function refusalView({ atMs, node, event, dialect, detail, times, about }: NodeRefusal) {
  return {
    ...{ at: isoTime(atMs), node, event, detail, times, about },
    ...(dialect === undefined ? {} : { dialect }),
  };
}

/** What operators see of organisations and their webhooks, and the replay of dead letters: the dialect's part of the admin API. */
import { z } from "zod";
import type { Page, PageQuery } from "../../core/pages.ts";
import {
  WEBHOOK_LIMITS,
  WebhookError,
  type WebhookEndpoint,
  type WebhookErrorCode,
  type WebhookOwner,
  type WebhookPage,
} from "../../webhooks/contract.ts";
import {
  AdminError,
  adminOperation,
  isoTime,
  ofApp,
  pageAnswer,
  pageQueryOf,
  pageRequest,
  pageViewOf,
  type AdminCall,
  type AdminErrorCode,
  type AdminPart,
} from "../admin-operation.ts";
import type { EventsContext } from "./context.ts";
import type { Organisation } from "./organisations.ts";
import {
  attemptAnswer,
  deadLetterAnswer,
  endpointAnswer,
  taskAnswer,
} from "./webhook-api/answers.ts";
import { attemptView, deadLetterView, endpointView, taskView } from "./webhook-api/views.ts";

/** Organisations that are looked through for one page of endpoints: most may have none. */
const SCANNED_ORGANISATIONS_MAX = 100;

const id = z.string().min(1, "must not be empty");
const organisation = id.describe("Of which organisation, by its id.");
const endpoint = id.describe("Of which endpoint, by its id.");

const organisationAnswer = z
  .strictObject({
    organisation: z.string(),
    status: z.enum(["active", "deprovisioned"]),
    generation: z.int().min(1),
    application: z.string().describe("The webhooks' application of this generation."),
    provisioned_at: z.iso.datetime(),
    deprovisioned_at: z.iso.datetime().optional(),
  })
  .meta({ title: "admin_organisation" });

/** `contexts`: by app id. */
export function eventsAdmin(contexts: ReadonlyMap<string, EventsContext>): AdminPart {
  const of = (call: Pick<AdminCall, "app">) => ofApp(contexts, call, unserved);
  const operations = [
    adminOperation({
      method: "GET",
      path: "events/organisations",
      summary: "Organisations that were provisioned, in the order of their ids",
      request: z.strictObject(pageRequest),
      answer: pageAnswer(organisationAnswer),
      async run(call) {
        const { limit, ...rest } = pageQueryOf(call.request);
        const found = await of(call).organisations.list({ ...rest, limit: limit + 1 });
        const rows = found.slice(0, limit);
        const next = found.length > limit ? rows.at(-1)?.id : undefined;
        return pageViewOf(next === undefined ? { rows } : { rows, next }, organisationView);
      },
    }),
    adminOperation({
      method: "GET",
      path: "webhooks/endpoints",
      summary: "Webhook endpoints with their health, organisation by organisation",
      request: z.strictObject({ organisation: organisation.optional(), ...pageRequest }),
      answer: pageAnswer(endpointAnswer),
      async run(call) {
        const { organisation: named, ...page } = call.request;
        const context = of(call);
        const query = pageQueryOf(page);
        const found = await told(async () =>
          named === undefined
            ? endpointsOfAll(context, query)
            : pageFrom(
                await context.webhooks.endpoints.list(await ownerOf(context, named), {
                  ...iteratorOf(query),
                }),
              ),
        );
        return pageViewOf(found, endpointView);
      },
    }),
    adminOperation({
      method: "GET",
      path: "webhooks/attempts",
      summary: "Requests to an endpoint and what came of each, newest first",
      request: z.strictObject({
        ...{ organisation, endpoint },
        status: z.enum(["succeeded", "failed"]).optional(),
        ...pageRequest,
      }),
      answer: pageAnswer(attemptAnswer),
      async run(call) {
        const { organisation: named, endpoint: endpointId, status, ...page } = call.request;
        const context = of(call);
        const { messages } = context.webhooks;
        const filter = status === undefined ? {} : { status };
        const query = iteratorOf(pageQueryOf(page));
        const found = await told(async () =>
          messages.attemptsOf(await ownerOf(context, named), endpointId, filter, query),
        );
        return pageViewOf(pageFrom(found), attemptView);
      },
    }),
    adminOperation({
      method: "GET",
      path: "webhooks/dead-letters",
      summary: "Deliveries that were given up, newest first",
      request: z.strictObject({
        ...{ organisation, endpoint: endpoint.optional() },
        ...pageRequest,
      }),
      answer: pageAnswer(deadLetterAnswer),
      async run(call) {
        const { organisation: named, endpoint: endpointId, ...page } = call.request;
        const context = of(call);
        const { deadLetters } = context.webhooks;
        const filter = endpointId === undefined ? {} : { endpointId };
        const query = iteratorOf(pageQueryOf(page));
        const found = await told(async () =>
          deadLetters.list(await ownerOf(context, named), filter, query),
        );
        return pageViewOf(pageFrom(found), deadLetterView);
      },
    }),
    adminOperation({
      method: "POST",
      path: "webhooks/dead-letters/replay",
      summary: "Send dead letters again, by their ids or all of an endpoint",
      request: z.strictObject({
        organisation,
        ids: z.array(id).min(1).max(WEBHOOK_LIMITS.deadLetterIds).optional(),
        endpoint: endpoint.optional(),
      }),
      answer: taskAnswer,
      async run(call) {
        const { organisation: named, ids, endpoint: endpointId } = call.request;
        const context = of(call);
        const { deadLetters } = context.webhooks;
        const choice = ids === undefined ? endpointId && { endpointId } : { ids };
        if (!choice || (ids !== undefined && endpointId !== undefined)) {
          throw new AdminError("bad_request", 'Give either "ids" or "endpoint"');
        }
        return taskView(
          await told(async () => deadLetters.replay(await ownerOf(context, named), choice)),
        );
      },
    }),
    adminOperation({
      method: "GET",
      path: "webhooks/task",
      summary: "How far a replay is",
      request: z.strictObject({ organisation, task: id.describe("Its id.") }),
      answer: taskAnswer,
      async run(call) {
        const { organisation: named, task } = call.request;
        const context = of(call);
        const { replays } = context.webhooks;
        return taskView(await told(async () => replays.task(await ownerOf(context, named), task)));
      },
    }),
  ];
  return { operations, examples: EXAMPLES };
}

const EXAMPLES = {
  organisation: "org_26ZZVNs2QURl4yY6owPARekUbMa",
  application: "app_2ZzGfnFk3TgYb7pQwR9sXc1VdNe",
  endpoint: "ep_2ZzGfnFk3TgYb7pQwR9sXc1VdNe",
  task: "task_2ZzGfnFk3TgYb7pQwR9sXc1VdNe",
};

function unserved(): AdminError {
  return new AdminError("not_found", "The app has no signing key for events: it serves none");
}

function organisationView(found: Organisation) {
  const { deprovisionedAtMs } = found;
  return {
    ...{ organisation: found.id, status: found.status, generation: found.generation },
    ...{ application: found.applicationId, provisioned_at: isoTime(found.provisionedAtMs) },
    ...(deprovisionedAtMs === undefined ? {} : { deprovisioned_at: isoTime(deprovisionedAtMs) }),
  };
}

async function ownerOf({ organisations }: EventsContext, named: string): Promise<WebhookOwner> {
  const found = await organisations.find(named);
  if (found === undefined) {
    const message =
      "The organisation was never provisioned: events/organisations lists those that were";
    throw new AdminError("not_found", message);
  }
  return ownerBy(found);
}

function ownerBy({ id: organisationId, applicationId }: Organisation): WebhookOwner {
  return { organisationId, applicationId };
}

/** A page may be short, or empty, without being the last. A place is an organisation that is done, or one and where its list goes on. */
async function endpointsOfAll(
  { organisations, webhooks }: EventsContext,
  { limit, after = "" }: PageQuery,
): Promise<Page<WebhookEndpoint>> {
  const rows: WebhookEndpoint[] = [];
  let place = after;
  for (let scanned = 0; scanned < SCANNED_ORGANISATIONS_MAX; scanned++) {
    const [done = "", iterator] = place.split("/");
    const found =
      iterator === undefined
        ? (await organisations.list({ limit: 1, ...(done === "" ? {} : { after: done }) }))[0]
        : await organisations.find(done);
    if (found === undefined) return { rows };
    const page = await webhooks.endpoints.list(ownerBy(found), {
      limit: limit - rows.length,
      ...(iterator === undefined ? {} : { iterator }),
    });
    rows.push(...page.data);
    place = page.iterator === null ? found.id : `${found.id}/${page.iterator}`;
    if (rows.length === limit) break;
  }
  return { rows, next: place };
}

function iteratorOf({ limit, after }: PageQuery) {
  return after === undefined ? { limit } : { limit, iterator: after };
}

function pageFrom<Row>({ data, iterator }: WebhookPage<Row>): Page<Row> {
  return iterator === null ? { rows: data } : { rows: data, next: iterator };
}

const CODES = {
  invalid_request: "bad_request",
  invalid_url: "bad_request",
  not_found: "not_found",
  endpoint_disabled: "conflict",
  task_running: "conflict",
  too_many_secrets: "conflict",
  limit_reached: "conflict",
  payload_too_large: "bad_request",
  rate_limited: "limit_exceeded",
} as const satisfies Record<WebhookErrorCode, AdminErrorCode>;

/** What the webhooks refuse, in the admin API's words. */
async function told<Result>(run: () => Promise<Result>): Promise<Result> {
  try {
    return await run();
  } catch (error) {
    if (!(error instanceof WebhookError)) throw error;
    throw new AdminError(CODES[error.code], error.message, { cause: error });
  }
}

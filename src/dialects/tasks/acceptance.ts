/** Whether a socket that presented a token may wait for its task: the checks of task-tokens.md §5.1, in their order. */
import { claimsText } from "../../auth/claims-text.ts";
import { lastMinute } from "../../core/rates.ts";
import type { LimitName } from "../dialect.ts";
import type { TaskToken } from "./client-token.ts";
import type { TasksContext } from "./context.ts";
import { standsAlone, tellEverywhere, type Displacement } from "./sockets.ts";
import type { EndName } from "./frames.ts";
import { TaskRecords, withToken, type TaskRecord } from "./task-record.ts";

/** A socket with a good token. */
export interface Applicant {
  readonly context: TasksContext;
  readonly token: TaskToken;
  readonly over: boolean;
  /** Takes its place among the task's connections: from here on it hears what is said to them, on whichever node. */
  reserve(): void;
  /** It has its number: what displaces it takes effect. */
  accepted(number: number): void;
  /** The last steps: last message, deadline, first tick. */
  join(acceptedMs: number): Promise<void>;
  limitHit(limit: LimitName): void;
  tell(event: "Origin refused", about: Readonly<Record<string, unknown>>): void;
  report(error: unknown, doing: string): void;
}

/** The connection is ended with this. */
export class Refusal extends Error {
  readonly end: EndName;
  /** What the end leaves open. */
  readonly detail: string | undefined;

  constructor(end: EndName, detail?: string) {
    super(end);
    this.name = "Refusal";
    this.end = end;
    this.detail = detail;
  }
}

/** The token is opaque: what it holds is named as the claims of others are. */
export function withClaims(detail: string, token: TaskToken): string {
  const claims = {
    public_id: token.publicId,
    task: token.taskId,
    issued: token.issuedMs,
    expires: token.expiresMs,
    reusable: !token.singleUse,
  };
  return `${detail}; ${claimsText(claims, "public_id")}`;
}

const isoOf = (epochMs: number): string => new Date(epochMs).toISOString();

/**
 * Resolves once the connection was sent its first frame, or the client left. Throws a Refusal, or HubError `unavailable`; the
 * caller ends the connection then.
 */
export async function accept(applicant: Applicant, origin: string | null): Promise<void> {
  const { context, token } = applicant;
  const { runtime, records: store, allowsOrigin } = context;
  const records = new TaskRecords(store, runtime.clock);
  const nowMs = runtime.clock.epochMs();
  if (nowMs >= token.expiresMs) {
    const detail = `The token opens no socket since ${isoOf(token.expiresMs)}, and it is ${isoOf(nowMs)}`;
    throw new Refusal("token_expired", withClaims(detail, token));
  }
  const record = await records.get(token.taskId);
  if (record !== undefined) requireUnrevoked(record, token);
  if (token.singleUse && (await records.isUsed(token))) throw usedUp(token);
  // No text of §5.6 speaks of origins: to this page the token is none.
  if (!allowsOrigin(origin)) {
    applicant.tell("Origin refused", { app: context.publicId, origin });
    throw new Refusal("invalid_token", "The page's origin is not in the app's allowed_origins");
  }
  if (applicant.over) return;
  requireRoom(applicant);
  applicant.reserve();
  if (token.singleUse && !(await records.use(token))) throw usedUp(token);
  let taken: Taken | undefined;
  try {
    taken = await takeNumber(applicant, records);
  } finally {
    if (token.singleUse && taken === undefined) await records.unuse(token);
  }
  if (taken === undefined) return;
  applicant.accepted(taken.number);
  displaceOthers(applicant, taken);
  await applicant.join(taken.acceptedMs);
}

function usedUp(token: TaskToken): Refusal {
  const detail = "The token was made with reusable_minutes 0, and has opened its one socket";
  return new Refusal("token_expired", withClaims(detail, token));
}

function requireUnrevoked({ revokedMs }: TaskRecord, token: TaskToken): void {
  if (token.issuedMs > revokedMs) return;
  const detail = "The task was closed or its tokens were revoked after this one was made";
  throw new Refusal("revoked", withClaims(detail, token));
}

function requireRoom(applicant: Applicant): void {
  const { sockets, settings } = applicant.context;
  const here = sockets.sizeOf(applicant.token.taskId);
  const limit =
    sockets.size >= settings.connection_limit
      ? "connection_limit"
      : here >= settings.task_connection_limit && "task_connection_limit";
  if (limit === false) return;
  applicant.limitHit(limit);
  throw new Refusal("too_many_connections", `The limit ${limit} is reached`);
}

interface Taken {
  readonly number: number;
  readonly acceptedMs: number;
  /** Some connection of the task stands alone, perhaps on another node. */
  readonly displacing: boolean;
}

/**
 * One change of the task's record: a close that comes first refuses, one that comes later finds the applicant. Undefined: the
 * client has left, and displaces nobody.
 */
async function takeNumber(applicant: Applicant, records: TaskRecords): Promise<Taken | undefined> {
  const { context, token } = applicant;
  const { settings, runtime } = context;
  const alone = standsAlone(token, settings);
  let taken: Taken | undefined;
  await records.update(token.taskId, (record) => {
    if (applicant.over) return undefined;
    requireUnrevoked(record, token);
    const acceptedMs = runtime.clock.epochMs();
    const recent = lastMinute(record.acceptedMs, acceptedMs);
    if (recent.length >= settings.task_acceptances_per_minute) {
      applicant.limitHit("task_acceptances_per_minute");
      throw new Refusal("too_many_connections");
    }
    // Numbers rise with the time as well, so that they go on rising when the store has forgotten the last one.
    const number = Math.max(record.newest + 1, acceptedMs);
    taken = { number, acceptedMs, displacing: record.displacing || alone };
    return {
      ...withToken(record, token),
      newest: number,
      displacing: taken.displacing,
      acceptedMs: [...recent, acceptedMs],
    };
  });
  return taken;
}

/** Those of this node have ended when it returns; those of others within the second that the control bus takes. */
function displaceOthers(applicant: Applicant, { number, displacing }: Taken): void {
  const { context, token } = applicant;
  const { taskId } = token;
  const force = standsAlone(token, context.settings);
  const displacement: Displacement = { ask: "displace", below: number, force };
  for (const other of context.sockets.of(taskId)) other.displace(displacement);
  if (!displacing) return;
  tellEverywhere(context, taskId, displacement).catch((error: unknown) =>
    applicant.report(error, "displacing other connections"),
  );
}

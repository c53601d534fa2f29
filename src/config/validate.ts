/** Checks a whole configuration and tells every problem at once, those of single keys before those between keys. */
import type { z } from "zod";
import { developmentProblems } from "./development-guard.ts";
import { keysAt } from "./fields.ts";
import { hintOf, nearest } from "./nearest.ts";
import { checkRules } from "./rules.ts";
import type { Path, Problem } from "./problem.ts";
import type { Model } from "./model.ts";
import { resolve, type BaseConfig, type ParsedBase } from "./schema.ts";

/** A function made for each table, as the schemas of calls have, would cost more than it saves. */
const PARSED_ONCE = { jitless: true };

/** Plain data as read from a file. A failure has at least one problem. */
export function validate(
  model: Model,
  raw: unknown,
): { readonly config: BaseConfig } | { readonly problems: readonly Problem[] } {
  const parsed = model.schema.safeParse(raw, PARSED_ONCE);
  if (parsed.success) {
    const problems = rulesOf(model, parsed.data as ParsedBase);
    return problems.length > 0 ? { problems } : { config: resolve(parsed.data as ParsedBase) };
  }
  const { issues } = parsed.error;
  const problems = issues.flatMap((issue) => problemsOf(model, issue, raw));
  // What is left without the wrong keys still shows what does not fit together elsewhere.
  const rest = model.schema.safeParse(without(raw, issues), PARSED_ONCE);
  if (rest.success) {
    const wrong = new Set(
      issues.flatMap((issue) =>
        issue.code === "unrecognized_keys" ? [] : [table(issue.path as Path)],
      ),
    );
    const spoiled = ({ path }: Problem) =>
      wrong.has(table(path)) || wrong.has(JSON.stringify(path));
    problems.push(
      ...rulesOf(model, rest.data as ParsedBase).filter((problem) => !spoiled(problem)),
    );
  }
  return { problems };
}

function rulesOf(model: Model, config: ParsedBase): Problem[] {
  return [...checkRules(model, config), ...developmentProblems(config)];
}

function table(path: Path): string {
  return JSON.stringify(path.slice(0, -1));
}

function problemsOf(model: Model, issue: z.core.$ZodIssue, raw: unknown): Problem[] {
  const path = issue.path as Path;
  if (issue.code !== "unrecognized_keys") return [{ path, ...messageOf(issue, raw) }];
  return issue.keys.map((key) => {
    const hint = hintOf(nearest(key, keysAt(model.schema, path) ?? []));
    return { path: [...path, key], message: `unknown key${hint}`, word: "config_unknown_key" };
  });
}

const TYPE_NAMES: Readonly<Record<string, string>> = {
  string: "a string",
  number: "a number",
  int: "an integer",
  boolean: "true or false",
  array: "a list",
  object: "a table",
};

function messageOf(issue: z.core.$ZodIssue, raw: unknown): Omit<Problem, "path"> {
  if (issue.code === "invalid_type" && valueAt(raw, issue.path as Path) === undefined) {
    return { message: "is required", word: "config_missing" };
  }
  return { message: invalidText(issue), word: "config_invalid" };
}

/** Never repeats the value, which may be a secret. */
function invalidText(issue: z.core.$ZodIssue): string {
  switch (issue.code) {
    case "invalid_type":
      return `must be ${TYPE_NAMES[issue.expected] ?? issue.expected}`;
    case "invalid_value":
      return `must be ${issue.values.length > 1 ? "one of " : ""}${issue.values
        .map((value) => JSON.stringify(value))
        .join(", ")}`;
    case "too_small":
      if (issue.origin === "string" || issue.origin === "array") return "must not be empty";
      return `must be at least ${issue.minimum}`;
    case "too_big":
      return `must be at most ${issue.maximum}${issue.origin === "string" ? " characters long" : ""}`;
    case "invalid_union":
      return "is of the wrong type";
    case "custom":
    case "invalid_format":
    case "invalid_key":
    case "invalid_element":
    case "not_multiple_of":
    case "unrecognized_keys":
      return issue.message;
  }
}

function valueAt(raw: unknown, path: Path): unknown {
  return path.reduce<unknown>(
    (value, part) => (isTable(value) ? value[part as string] : undefined),
    raw,
  );
}

function without(raw: unknown, issues: readonly z.core.$ZodIssue[]): unknown {
  const copy = deepCopy(raw);
  for (const issue of issues) {
    const path = issue.path as Path;
    const unknown = issue.code === "unrecognized_keys";
    const parent = valueAt(copy, unknown ? path : path.slice(0, -1));
    if (!isTable(parent) || Array.isArray(parent)) continue;
    const keys = unknown ? issue.keys : [String(path.at(-1))];
    for (const key of keys) delete parent[key];
  }
  return copy;
}

/** Copies tables and lists; everything else, dates among them, is shared. */
export function deepCopy(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(deepCopy);
  if (!isTable(value) || value instanceof Date) return value;
  return Object.fromEntries(Object.entries(value).map(([key, part]) => [key, deepCopy(part)]));
}

function isTable(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null;
}

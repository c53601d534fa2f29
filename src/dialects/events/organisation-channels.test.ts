import { expect, test } from "bun:test";
import { createTestRuntime } from "../../../test/support/runtime.ts";
import { HubError } from "../../core/errors.ts";
import { createEmbeddedEngine } from "../../engines/embedded/index.ts";
import { createOrganisationChannels, NOTES_MAX } from "./organisation-channels.ts";
import type { Organisation } from "./organisations.ts";

const ORGANISATION: Organisation = {
  ...{ id: "org_1", status: "active", generation: 1, applicationId: "app_1", provisionedAtMs: 0 },
};

async function create() {
  const runtime = createTestRuntime();
  const engine = createEmbeddedEngine({ dataDir: undefined, durability: "normal", runtime });
  await engine.start();
  const { records } = engine.app("dev");
  let puts = 0;
  const counted = {
    ...records,
    put: (...given: Parameters<typeof records.put>) => {
      puts++;
      return records.put(...given);
    },
  };
  const removed: string[] = [];
  const hub = {
    async removeHistory({ name }: { readonly name: string }) {
      if (name.startsWith("none:")) throw new HubError("not_available", "No history");
      removed.push(name);
    },
  };
  const channels = createOrganisationChannels({ records: counted, hub, clock: runtime.clock });
  return {
    ...{ channels, removed, advance: (ms: number) => runtime.advance(ms), puts: () => puts },
    [Symbol.asyncDispose]: () => engine[Symbol.asyncDispose](),
  };
}

test("what was noted is removed, once, and nothing of another organisation", async () => {
  await using made = await create();
  const { channels, removed } = made;
  for (const name of ["a:org_1", "a:org_1#usr_1", "none:org_1"]) {
    await channels.note(ORGANISATION, name, 1_000);
  }
  await channels.note({ ...ORGANISATION, id: "org_10" }, "a:org_10", 1_000);
  await channels.removeHistory("org_1");
  expect(removed.toSorted()).toEqual(["a:org_1", "a:org_1#usr_1"]);
  await channels.removeHistory("org_1");
  expect(removed).toHaveLength(2);
});

test("a note is made once in the history's lifetime, and outlives what was published under it", async () => {
  await using made = await create();
  const { channels, removed, advance, puts } = made;
  await channels.note(ORGANISATION, "a:org_1", 1_000);
  await advance(999);
  await channels.note(ORGANISATION, "a:org_1", 1_000);
  expect(puts()).toBe(1);
  // Published at 999, gone from the history at 1,999.
  await advance(999);
  await channels.removeHistory("org_1");
  expect(removed).toEqual(["a:org_1"]);
  await channels.note(ORGANISATION, "a:org_1", 1_000);
  expect(puts()).toBe(2);
  await advance(2_000);
  await channels.removeHistory("org_1");
  expect(removed).toHaveLength(1);
});

test("a new generation is noted anew", async () => {
  await using made = await create();
  const { channels, removed, puts } = made;
  await channels.note(ORGANISATION, "a:org_1", 1_000);
  await channels.removeHistory("org_1");
  await channels.note({ ...ORGANISATION, generation: 2 }, "a:org_1", 1_000);
  expect(puts()).toBe(2);
  await channels.removeHistory("org_1");
  expect(removed).toHaveLength(2);
});

test("more channels than a page, and more than are remembered", async () => {
  await using made = await create();
  const { channels, removed, puts } = made;
  const names = Array.from({ length: NOTES_MAX + 1 }, (_, index) => `a:org_1.${index}`);
  await Promise.all(names.map((name) => channels.note(ORGANISATION, name, 1_000_000)));
  await channels.note(ORGANISATION, names[0] ?? "", 1_000_000);
  expect(puts()).toBe(NOTES_MAX + 2);
  await channels.removeHistory("org_1");
  expect(new Set(removed).size).toBe(NOTES_MAX + 1);
}, 60_000);

/** Random changes of subscribers and keys against a model that keeps them in a map: which tokens are good, after each step. */
import { expect, test } from "bun:test";
import { createTestEngine } from "../../../../test/support/engine.ts";
import { createTestRuntime } from "../../../../test/support/runtime.ts";
import { TokenError } from "../../../auth/key-set.ts";
import { BearerFault, createBearers } from "./bearers.ts";
import type { Bearer } from "./contract.ts";
import { AuthError } from "./errors.ts";
import { createKeyStore } from "./key-store.ts";
import { createSubscriberStore } from "./subscriber-store.ts";

const SEEDS = 20;
const STEPS = 100;
const IDS = ["a", "ab", "b"];
const METRICS = { count: () => {} };

interface Token {
  readonly id: string;
  readonly keyId: string;
  readonly expiresMs: number;
  active: boolean;
  ended: boolean;
}

test("whatever happens to subscribers and keys, exactly the tokens that should be good are", async () => {
  for (let seed = 1; seed <= SEEDS; seed++) {
    const runtime = createTestRuntime(seed);
    const { clock, random } = runtime;
    await using engine = createTestEngine({ runtime });
    await engine.start();
    const { records } = engine.app(`model-${seed}`);
    const subscribers = createSubscriberStore({ records, clock });
    const keys = createKeyStore({ records, clock, subscribers, keysMax: 100, metrics: METRICS });
    const refuse = () => Promise.reject(new TokenError("signature", "No key signed it"));
    const bearers = createBearers({
      ...{ records, subscribers, keys, clock, isApiKey: () => false },
      jwtKeys: { verify: refuse, open: refuse },
    });
    const tokens = new Map<string, Token>();
    const there = new Map<string, boolean>();
    const held = new Map<string, Bearer>();
    const pick = <Item>(items: readonly Item[]): Item | undefined =>
      items[Math.floor(random.fraction() * items.length)];
    const endAll = (id: string) => {
      for (const token of tokens.values()) if (token.id === id) token.ended = true;
    };
    const done: string[] = [];

    /** Whether it was done, for what the model says should be. */
    async function tried(expected: boolean, work: () => Promise<unknown>): Promise<void> {
      const worked = await work().then(
        () => true,
        (error: unknown) => {
          if (error instanceof AuthError) return false;
          throw error;
        },
      );
      expect({ seed, done, worked }).toEqual({ seed, done, worked: expected });
    }

    for (let step = 0; step < STEPS; step++) {
      const id = pick(IDS) ?? "";
      const [text = "", token] = pick([...tokens]) ?? [];
      const find = () => keys.find(token?.id ?? id, token?.keyId ?? "KY");
      const usable = token !== undefined && !token.ended && token.expiresMs > clock.epochMs();
      const known = there.has(id);
      const op = pick([
        "create",
        "mint",
        "mint",
        "off",
        "on",
        "end",
        "drop",
        "key",
        "cut",
        "time",
        "revoke",
      ]);
      done.push(`${op} ${id}`);
      switch (op) {
        case "create":
          await tried(!known, () => subscribers.create([{ id, active: true, profile: "{}" }]));
          if (!known) there.set(id, true);
          break;
        case "mint":
          await tried(there.get(id) === true, async () => {
            const lifetimeMs = pick([Infinity, 1000, 5000]) ?? 0;
            const { token: made, key } = await keys.mint(id, { name: "", lifetimeMs });
            const expiresMs = key.expiresMs ?? Infinity;
            tokens.set(made, { id, keyId: key.keyId, expiresMs, active: true, ended: false });
          });
          break;
        case "off":
        case "drop": {
          const change = { active: false, ...(op === "drop" ? { deleted: true } : {}) };
          await tried(known, () => subscribers.endTokens(id, () => change));
          if (known) endAll(id);
          if (op === "drop") there.delete(id);
          else if (known) there.set(id, false);
          break;
        }
        case "on":
          await tried(known, () => subscribers.update(id, () => ({ active: true })));
          if (known) there.set(id, true);
          break;
        case "end":
          await tried(known, async () => {
            await subscribers.endTokens(id);
            if (random.fraction() < 0.5) await keys.sweep(id);
          });
          if (known) endAll(id);
          break;
        case "key": {
          const active = random.fraction() < 0.5;
          await tried(usable, async () => keys.update(await find(), { active }));
          if (usable) token.active = active;
          break;
        }
        case "cut":
          await tried(usable, async () => keys.delete(await find()));
          if (usable) token.ended = true;
          break;
        case "revoke":
          await bearers.revoke(text, false);
          if (token !== undefined) token.ended = true;
          break;
        case "time":
        case undefined:
          await runtime.advance(pick([1, 999, 1000, 3000]) ?? 0);
      }
      for (const [made, { id: of, active, ended, expiresMs }] of tokens) {
        const good = active && !ended && there.get(of) === true && expiresMs > clock.epochMs();
        const bearer = await bearers.find(made);
        const given = bearer instanceof BearerFault ? undefined : bearer;
        const found = given?.subscriber === of;
        if (given !== undefined) held.set(made, given);
        const before = held.get(made);
        const holds = before === undefined ? good : await bearers.holds(before);
        expect({ seed, done, found, holds }).toEqual({ seed, done, found: good, holds: good });
      }
    }
    for (const id of IDS) {
      if (!there.has(id)) continue;
      const listed = (await keys.list(id, { limit: 100 })).items.map(({ keyId }) => keyId);
      const kept = [...tokens.values()].filter(
        (token) => token.id === id && !token.ended && token.expiresMs > clock.epochMs(),
      );
      expect(listed).toEqual(kept.map(({ keyId }) => keyId).toSorted());
    }
  }
});

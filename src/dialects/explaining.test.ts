import { describe, expect, test } from "bun:test";
import {
  besideText,
  explained,
  explainedChallenge,
  explainedReason,
  explainedText,
  REASON_BYTES_MAX,
} from "./explaining.ts";

const told = { explainsRefusals: true };
const untold = { explainsRefusals: false };
const refusal = { word: "invalid_token", detail: 'The claim "sub" is missing' } as const;

describe("outside of development mode nothing is added", () => {
  test.each([
    [explained(untold, refusal), undefined],
    [besideText(untold, refusal), ""],
    [explainedText(untold, "denied", refusal.detail), "denied"],
    [explainedReason(untold, "denied", refusal.detail), "denied"],
    [explainedChallenge(untold, 'Bearer error="x"', refusal.detail), 'Bearer error="x"'],
  ])("%j", (given, plain) => {
    expect(given).toEqual(plain);
  });
});

describe("in development mode", () => {
  test("members, a line and a text have the explanation; one that repeats the text adds nothing", () => {
    expect(explained(told, refusal)).toEqual(refusal);
    expect(besideText(told, refusal)).toBe('The claim "sub" is missing [invalid_token]\n');
    expect(explainedText(told, "denied", "why")).toBe("denied: why");
    expect(explainedText(told, "denied", "denied")).toBe("denied");
  });

  test("a reason has as many bytes as a close frame takes, and whole letters", () => {
    const room = REASON_BYTES_MAX - "denied: ".length;
    const fits = "x".repeat(room);
    expect(explainedReason(told, "denied", fits)).toBe(`denied: ${fits}`);
    const cut = explainedReason(told, "denied", `${fits}x`);
    expect(cut).toBe(`denied: ${"x".repeat(room - 3)}…`);
    for (const letter of ["é", "€", "😀"]) {
      const reason = explainedReason(told, "denied", letter.repeat(room));
      expect(Buffer.byteLength(reason)).toBeLessThanOrEqual(REASON_BYTES_MAX);
      expect(reason).toMatch(new RegExp(`^denied: ${letter}+…$`, "u"));
    }
  });

  test("a challenge's description goes on with it, or is it, in RFC 6750's letters", () => {
    const described = 'Bearer error="e", error_description="expired"';
    expect(explainedChallenge(told, described, 'its "exp" is\\past…')).toBe(
      `Bearer error="e", error_description="expired: its 'exp' is?past?"`,
    );
    expect(explainedChallenge(told, 'Bearer error="e"', "why")).toBe(
      'Bearer error="e", error_description="why"',
    );
  });
});

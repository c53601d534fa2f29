/** How the playground looks and is used: by whom, on what, and with whatever somebody pushes. The tests go on in one page. */
import { beforeAll, expect, test } from "bun:test";
import axe from "axe-core";
import { PANES, usePlayground, type Playground } from "../support/playground.ts";

const used = usePlayground();
const TIMEOUT_MS = 30_000;
const EMOJI = "🔔".repeat(64);

let playground: Playground;
beforeAll(async () => {
  playground = used.page;
  await playground.openAll();
});

/** What axe-core finds that keeps somebody out. */
async function findings(): Promise<unknown> {
  const { page } = playground;
  const run = `axe.run(document, { resultTypes: ["violations"] }).then(({ violations }) => violations)`;
  const found = (await page.evaluate(`${axe.source};${run}`)) as axe.Result[];
  return found
    .filter(({ impact }) => impact === "serious" || impact === "critical")
    .map(({ id, nodes }) => [id, nodes.map(({ html, failureSummary }) => [html, failureSummary])]);
}

test(
  "light and wide, nothing keeps anybody out",
  async () => {
    const { page } = playground;
    await page.setViewportSize({ width: 1280, height: 900 });
    await page.emulateMedia({ colorScheme: "light" });
    await playground.push("channel", '{"text":"Hello"}');
    await playground.answered("200");
    await playground.picture("playground-light");
    expect(await findings()).toEqual([]);
  },
  TIMEOUT_MS,
);

test(
  "dark and on a telephone likewise, and all of it is in sight",
  async () => {
    const { page } = playground;
    const colour = () => page.evaluate("getComputedStyle(document.body).backgroundColor");
    const light = await colour();
    await page.emulateMedia({ colorScheme: "dark" });
    await page.setViewportSize({ width: 375, height: 800 });
    expect(await colour()).not.toBe(light);
    await playground.picture("playground-dark-375");
    expect(await page.evaluate("document.documentElement.scrollWidth")).toBe(375);
    expect(await findings()).toEqual([]);
    await page.setViewportSize({ width: 1280, height: 900 });
  },
  TIMEOUT_MS,
);

test(
  "it is used without a mouse",
  async () => {
    const { page } = playground;
    const focused = () =>
      page.evaluate(`(() => {
        const { activeElement: focused } = document;
        const { outlineStyle } = getComputedStyle(focused);
        return [focused.textContent || focused.name || focused.ariaLabel, outlineStyle];
      })()`) as Promise<[string, string]>;
    await playground.button("Restart the server").focus();
    const passed: string[] = [];
    while (passed.at(-1) !== "Push") {
      await page.keyboard.press("Tab");
      const [name, outline] = await focused();
      expect([name, outline]).toEqual([name, "solid"]);
      passed.push(name);
    }
    expect(passed.map((name) => name.slice(0, 7))).toEqual(["Channel", "target", "data", "Push"]);
    await playground.aim("channel", '{"text":"By keys"}');
    await playground.button("Push").focus();
    await page.keyboard.press("Enter");
    await playground.hears("gusher", "By keys");
    await playground.pane("streaming").getByRole("textbox").focus();
    await page.keyboard.type("Typed");
    await page.keyboard.press("Enter");
    await playground.hears("messaging", "Typed");
    await playground.pane("tasks").getByRole("button", { name: "Close" }).focus();
    await page.keyboard.press("Enter");
    await playground.button("Tasks").focus();
    await page.keyboard.press("Enter");
    await playground.connected("tasks");
  },
  TIMEOUT_MS,
);

const PAYLOADS: readonly (readonly [payload: string, shown: string])[] = [
  [
    `{"text":"<img src=x onerror=\\"document.title=1\\">"}`,
    `<img src=x onerror="document.title=1">`,
  ],
  ['"</li><script>document.title=1</script>"', "</li><script>document.title=1</script>"],
  [`{"text":"${EMOJI}"}`, EMOJI],
  ['{"__proto__":{"text":"polluted"}}', '{"__proto__":{"text":"polluted"}}'],
  ['{"text":{"toString":1}}', '{"text":{"toString":1}}'],
  ["[]", "[]"],
  ["null", "null"],
];

test("whatever is pushed is shown as text", async () => {
  const channel = await playground.channel();
  for (const [payload] of PAYLOADS) {
    const body = `{"channel":"${channel}","data":${payload}}`;
    const headers = { "X-API-Key": "dev-api-key" };
    await fetch(`${used.server.apiUrl}/api/publish`, { method: "POST", headers, body });
  }
  for (const [, shown] of PAYLOADS) {
    for (const name of PANES.slice(0, 3)) await playground.hears(name, shown);
  }
  for (const [payload, shown] of PAYLOADS.slice(0, 2)) {
    await playground.push("task", payload);
    await playground.hears("tasks", shown);
  }
  await isWhole();
});

test("half a surrogate pair is refused or shown, and breaks nothing", async () => {
  await playground.push("channel", '{"text":"half \\ud83d"}');
  await playground.answered("200");
  for (const name of ["streaming", "messaging", "gusher"] as const) {
    await playground.pane(name).locator(".lines .text").getByText("half").waitFor();
  }
  await isWhole();
});

test("targets are text as well, and what cannot be called is said", async () => {
  const { page } = playground;
  const hostile = `<b>"'&\\ ${EMOJI}`;
  await playground.push("user", "1", hostile);
  await playground.answered("It matched 0");
  const line = await page.getByLabel("The call for a terminal").innerText();
  expect(line).toContain(JSON.stringify(hostile).replace("'", `'\\''`));
  await playground.push("pattern", "1", "(");
  await playground.answered("400");
  const why = page.locator(".why");
  await playground.aim("user", "{");
  await why.getByText("The payload is not JSON").waitFor();
  expect(await playground.button("Push").isDisabled()).toBe(true);
  await playground.aim("user", "1");
  await page.evaluate(`(() => {
    const input = document.querySelector("input[name=target]");
    input.value = "\\ud83d";
    input.dispatchEvent(new Event("input", { bubbles: true }));
  })()`);
  await why.getByText("half a surrogate pair").waitFor();
  await isWhole();
});

/** Nothing of what was pushed became a part of the page, or ran. */
async function isWhole(): Promise<void> {
  const { page } = playground;
  expect(await page.title()).toBe("Carillon playground");
  expect(await page.locator("main img, main script, main b b").count()).toBe(0);
  expect(await page.evaluate("({}).text")).toBeUndefined();
  expect(playground.troubles).toEqual([]);
}

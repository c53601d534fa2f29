/**
 * The printed blocks that are not simply run: by whom they are, or why nobody can. A page's shell blocks run on a development server,
 * its TOML goes through the loader, its JSON is parsed and its HTML runs in `test/browser/snippets.test.ts`; whatever does not fit that,
 * or is of another language, stands here.
 */
export type Known =
  /** A test that runs it, or holds it against what the server does. It names the page. */
  | { readonly by: string }
  /** Why none does. */
  | { readonly not: string };

export interface Page {
  /** By the block's name, `sh 2`. A language alone stands for all of it on the page. */
  readonly known?: Readonly<Record<string, Known>>;
  /** For the shell blocks that are run here: printed text, and what runs in its place. */
  readonly replace?: readonly (readonly [printed: string, run: string])[];
}

const MOVING = { by: "test/deployment/moving.test.ts" };
const LANGUAGES = { by: "test/docs/languages.test.ts" };
const IN_SIX_LANGUAGES = {
  ...{ js: LANGUAGES, python: LANGUAGES, go: LANGUAGES },
  ...{ ruby: LANGUAGES, java: LANGUAGES, php: LANGUAGES },
};
const GO_LIVE = { by: "test/docs/go-live.test.ts" };
const IN_BROWSER = { by: "test/browser/snippets.test.ts" };

export const PAGES: Readonly<Record<string, Page>> = {
  "README.md": {
    known: {
      "sh 1": { not: "it installs, and serves for ever; .ci/run installs so" },
      "sh 6": { not: "it is this" },
    },
    replace: [
      [
        "npx carillon subscribe public:news",
        `npx carillon subscribe public:news --count 1 > received & until npx carillon who public:news --json | grep -q '"connection"'; do :; done`,
      ],
      [`"text":"Hello"}}'`, `"text":"Hello"}}'; wait; grep -qx '{"text":"Hello"}' received`],
      [`"order 1"}}}'`, `"order 1"}}}' | tee token`],
      [`"task_id":"…"`, `"task_id":"'"$(grep -o 'task_id":"[^"]*' token | cut -c11-)"'"`],
      ["npm start", "true"],
    ],
  },
  "clients/messaging/README.md": { known: { sh: IN_BROWSER, js: IN_BROWSER } },
  "clients/tasks/README.md": { known: { sh: IN_BROWSER } },
  "docs/admin.md": {
    // It would wait for ever; a command's own tests have it.
    replace: [["npx carillon subscribe public:news ", "true "]],
  },
  "docs/benchmarks.md": { known: { sh: { not: "it takes half an hour" } } },
  "docs/bench.md": {
    known: { sh: { by: "src/cli/bench.test.ts" }, plain: { not: "numbers of one machine" } },
  },
  "docs/backup.md": { known: { sh: { by: "test/docs/backup.test.ts" } } },
  "docs/go-live.md": {
    known: { sh: GO_LIVE, nginx: GO_LIVE, caddyfile: GO_LIVE },
  },
  "docs/moving-from-pusher.md": {
    known: { js: IN_BROWSER, text: { not: "it is Pusher's" } },
  },
  "docs/doctor.md": {
    // Without waiting for a quiet connection, and on a server that there is; it may warn.
    replace: [
      ["npx carillon doctor     ", "npx carillon doctor --quick || test $? = 1 "],
      [
        'https://push.example --api http://10.0.0.5:9000 --key "$KEY" --origin https://your.site',
        "http://127.0.0.1:8000 --api http://127.0.0.1:9000 --key dev-api-key --quick || test $? = 1",
      ],
    ],
  },
  "docs/gusher.md": {
    known: {
      "sh 4": {
        not: "it needs Redis; test/conformance/gusher/remote-lists.test.ts pops such a list",
      },
    },
    replace: [["$socket_id", "none"]],
  },
  "docs/messaging-messages.md": {
    known: { text: { by: "test/conformance/messaging/documented.test.ts" } },
  },
  "docs/moving-from-centrifugo.md": { known: { sh: MOVING, json: MOVING, text: MOVING } },
  "docs/redis.md": { known: { sh: { by: "test/hardening/nodes.test.ts" } } },
  "docs/operations.md": {
    known: {
      sh: { not: "it serves for ever; test/hardening/workers.test.ts starts a server so" },
      nginx: GO_LIVE,
    },
  },
  "docs/push-from-a-backend.md": { known: { ...IN_SIX_LANGUAGES, sh: LANGUAGES } },
  "docs/sign-a-token.md": { known: IN_SIX_LANGUAGES },
  "docs/why-did-my-client-not-get-it.md": {
    // It may warn.
    replace: [["doctor --quick ", "doctor --quick || test $? = 1 "]],
  },
  "docs/receive-a-webhook.md": {
    known: {
      "js 1": { by: "test/docs/webhooks.test.ts" },
      "http 1": { by: "test/docs/webhooks.test.ts" },
      "js 2": { by: "test/hardening/webhooks-delivery.test.ts" },
    },
  },
};

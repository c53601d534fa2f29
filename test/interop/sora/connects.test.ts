/**
 * In the soak: hundreds of connects while the machine has more to do than it can, in Chromium and without a browser. Each is to succeed;
 * see `src/transports/webrtc/peer.ts` for what once failed one in a hundred.
 */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { availableParallelism } from "node:os";
import { systemRuntime } from "../../../src/system-runtime.ts";
import { bootServer, type BootedServer } from "../../support/server.ts";
import { useSoraBrowser } from "../../support/sora-browser.ts";
import { loadSoraSdk } from "../../support/sora-sdk.ts";

const SOAK = process.env["CARILLON_SOAK"] === "1";
const CONNECTS = 300;
const AT_A_TIME = 4;
const TIMEOUT_MS = 300_000;

describe.skipIf(!SOAK)("on a busy machine", () => {
  let server: BootedServer;
  let others: Bun.Subprocess[] = [];
  const signalingUrl = () => `${server.clientsUrl.replace(/^http/, "ws")}/signaling`;
  beforeAll(async () => {
    server = await bootServer({ runtime: systemRuntime });
    others = Array.from({ length: 2 * availableParallelism() }, () =>
      Bun.spawn(["sh", "-c", "while :; do :; done"]),
    );
  });
  afterAll(async () => {
    for (const other of others) other.kill();
    await server[Symbol.asyncDispose]();
  });
  const browser = useSoraBrowser(signalingUrl);

  /** Several at a time, `CONNECTS` in all. */
  async function connects(prepare: () => Promise<() => Promise<void>>): Promise<number> {
    let begun = 0;
    let done = 0;
    const one = async () => {
      const connect = await prepare();
      while ((begun += 1) <= CONNECTS) {
        await connect();
        done += 1;
      }
    };
    await Promise.all(Array.from({ length: AT_A_TIME }, one));
    return done;
  }

  test(
    "Chromium connects each time",
    async () => {
      const done = await connects(async () => {
        const page = await browser.open();
        return async () => {
          await page.connect("recvonly", { dataChannelSignaling: true });
          await page.until("switched");
          await page.disconnect();
        };
      });
      expect(done).toBe(CONNECTS);
    },
    TIMEOUT_MS,
  );

  test(
    "the SDK without a browser connects each time",
    async () => {
      const sdk = await loadSoraSdk();
      const done = await connects(async () => async () => {
        const options = { dataChannelSignaling: true };
        const client = sdk.connection(signalingUrl()).recvonly("sora", null, options);
        await client.connect();
        await client.disconnect();
      });
      expect(done).toBe(CONNECTS);
    },
    TIMEOUT_MS,
  );
});

/** For how long the server keeps others waiting while it does something. */

/** Asks for `/health`, again and again, until `done`; milliseconds. */
export async function longestWait(url: string, done: Promise<unknown>): Promise<number> {
  let over = false;
  void done.finally(() => {
    over = true;
  });
  let longestMs = 0;
  while (!over) {
    const startMs = performance.now();
    await (await fetch(`${url}/health`)).text();
    longestMs = Math.max(longestMs, performance.now() - startMs);
  }
  await done;
  return longestMs;
}

/** How often a server collects garbage. */

const OPTION = "BUN_JSC_gcMaxHeapSize";

/**
 * Bytes made between two collections. JavaScriptCore would make as many as its heap holds, and no fewer than these: with ten thousand
 * connections 20 MB of garbage, among which what stays is scattered, so that little of the memory can be given back.
 */
const BYTES = 8 * 1024 * 1024;

/**
 * JavaScriptCore reads its options from the environment before any code runs, so the process becomes one that has it there, which its
 * workers inherit. Whoever sets it otherwise is obeyed.
 */
export function collectOften(): void {
  if (process.env[OPTION] !== undefined || process.platform === "win32") return;
  const program = Bun.isStandaloneExecutable ? [] : [...process.execArgv, Bun.main];
  const args = [process.execPath, ...program, ...process.argv.slice(2)];
  try {
    process.execve?.(process.execPath, args, { ...process.env, [OPTION]: `${BYTES}` });
  } catch {
    // Such as a program that was replaced meanwhile. It serves all the same, with more memory.
  }
}

/** How a load process talks with the benchmark that started it: JSON lines on standard input and output. */

/** Calls `onLine` with each parsed line, until the input ends. */
export async function readLines(
  input: ReadableStream<Uint8Array>,
  onLine: (value: unknown) => void,
): Promise<void> {
  const decoder = new TextDecoder();
  let rest = "";
  for await (const chunk of input) {
    const lines = (rest + decoder.decode(chunk, { stream: true })).split("\n");
    rest = lines.pop() ?? "";
    for (const line of lines) if (line.trim() !== "") onLine(parsed(line));
  }
}

export function writeLine(value: object): void {
  process.stdout.write(`${JSON.stringify(value)}\n`);
}

/** Ends the process with one line on the standard error, which the benchmark shows. */
export function fail(message: string): never {
  process.stderr.write(`${message}\n`);
  process.exit(1);
}

/** Servers also print lines that are no JSON: those are text. */
function parsed(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    return line;
  }
}

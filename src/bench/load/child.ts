/** A process that is talked to in lines: one is written, and one answers. */
import { readLines } from "./lines.ts";

/** Longer than anything takes: what is stuck is an error. */
const LINE_SECONDS_MAX = 120;

export class Child implements AsyncDisposable {
  readonly #child: Bun.Subprocess<"pipe", "pipe", "inherit">;
  readonly #lines: unknown[] = [];
  readonly #waiting: ((line: unknown) => void)[] = [];
  readonly #name: string;
  #ended: string | undefined;

  /** `name` is for error messages. What it prints on the standard error is shown. */
  constructor(command: readonly string[], { name, env }: ChildOptions) {
    this.#name = name;
    this.#child = Bun.spawn([...command], {
      env: { ...process.env, ...env },
      stdin: "pipe",
      stdout: "pipe",
      stderr: "inherit",
    });
    void readLines(this.#child.stdout, (line) => this.#received(line));
    void this.#child.exited.then((code) => {
      this.#ended = `ended with ${this.#child.signalCode ?? code}`;
      for (const resolve of this.#waiting.splice(0)) resolve(undefined);
    });
  }

  /** For error messages. */
  get state(): string {
    return this.#ended ?? "is running";
  }

  get pid(): number {
    return this.#child.pid;
  }

  get exited(): Promise<number> {
    return this.#child.exited;
  }

  #received(line: unknown): void {
    const resolve = this.#waiting.shift();
    if (resolve === undefined) this.#lines.push(line);
    else resolve(line);
  }

  /** The next line that it prints, read as JSON. Rejects when it ends first. */
  async line<Line>(): Promise<Line> {
    const next = this.#lines.shift() ?? (await this.#nextLine());
    if (next === undefined) throw new Error(`"${this.#name}" ${this.state}`);
    return next as Line;
  }

  #nextLine(): Promise<unknown> {
    if (this.#ended !== undefined) return Promise.resolve(undefined);
    return new Promise((resolve) => {
      this.#waiting.push(resolve);
      setTimeout(() => resolve(undefined), LINE_SECONDS_MAX * 1000).unref();
    });
  }

  async ask<Answer>(question: object | string): Promise<Answer> {
    await this.#child.stdin.write(
      `${typeof question === "string" ? question : JSON.stringify(question)}\n`,
    );
    await this.#child.stdin.flush();
    return this.line<Answer>();
  }

  kill(): void {
    this.#child.kill("SIGKILL");
  }

  /** Also from a process that is gone already. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.kill();
    await this.#child.exited;
  }
}

export interface ChildOptions {
  readonly name: string;
  readonly env?: Readonly<Record<string, string>>;
}

/** Whether the server is there, while it is put in the place of itself. */
import { signal } from "@preact/signals";
import { askRestart, loadSettings } from "./server.ts";

/** Between two looks whether it is back. */
const LOOK_MS = 200;

export class ServerState {
  readonly isRestarting = signal(false);
  readonly restarts = signal(0);
  readonly failure = signal("");
  #startedAt: number;

  constructor(startedAt: number) {
    this.#startedAt = startedAt;
  }

  async restart(): Promise<void> {
    this.isRestarting.value = true;
    this.failure.value = "";
    try {
      await askRestart();
      await this.#comesBack();
      this.restarts.value += 1;
    } catch (error) {
      this.failure.value = error instanceof Error ? error.message : String(error);
    }
    this.isRestarting.value = false;
  }

  async #comesBack(): Promise<void> {
    for (;;) {
      await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
      const settings = await loadSettings().catch(() => undefined);
      if (settings === undefined || settings.startedAt === this.#startedAt) continue;
      this.#startedAt = settings.startedAt;
      return;
    }
  }
}

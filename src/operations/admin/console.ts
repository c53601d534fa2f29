/** The console, `/admin` on `api`: a page that shows and does what the admin API offers, by its calls alone. It holds nothing that is secret. */
import { ApiRefusal, type ApiCallers } from "../../auth/api-callers.ts";
import type { AnswerOwnCall, ApiCalls } from "../../dialects/dialect.ts";
import type { Page } from "../../pages/page.ts";
import { textAnswer, type ApiAnswer, type ApiCall } from "../../transports/api-call.ts";

/** Its files lie below. */
export const CONSOLE_PATH = "/admin";

export interface ConsoleOptions {
  readonly page: Page;
  readonly callers: Pick<ApiCallers, "foreignPage">;
  readonly onError: (error: unknown, doing: string) => void;
}

/** To be asked behind the admin API's calls. Who looks needs no key for the page, and each of its calls one, save on loopback. */
export function createConsole({ page, callers, onError }: ConsoleOptions): ApiCalls {
  async function answer(call: ApiCall, file: string): Promise<ApiAnswer | undefined> {
    const refused = callers.foreignPage(call);
    if (refused instanceof ApiRefusal) return textAnswer(refused.status, `${refused.detail}\n`);
    try {
      return await page.answer(call, file);
    } catch (error) {
      onError(error, "making the console's page");
      return textAnswer(503, "The console cannot be made here: the log says why\n");
    }
  }

  const shell: AnswerOwnCall = (call) => answer(call, "");
  return {
    exact: { [CONSOLE_PATH]: shell },
    find(path) {
      if (!path.startsWith(`${CONSOLE_PATH}/`)) return undefined;
      const file = path.slice(CONSOLE_PATH.length + 1);
      return file === "" ? undefined : (call) => answer(call, file);
    },
  };
}

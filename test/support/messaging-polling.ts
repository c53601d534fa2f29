/** Subscribers of the messaging dialect by SockJS's long polling, request by request, each on a connection of its own. */
import { tokenOf, type Message } from "./messaging.ts";
import type { BootedServer } from "./server.ts";

export class PollingClient {
  readonly #session: string;
  readonly #token: string;

  /** `session`: its id, from which follows whose worker's it is. */
  constructor(
    { clientsUrl }: Pick<BootedServer, "clientsUrl">,
    subscriber: string,
    session: string,
  ) {
    this.#session = `${clientsUrl}/messaging/731/${session}`;
    this.#token = tokenOf(subscriber);
  }

  url(transport: string, token = this.#token): string {
    return `${this.#session}/${transport}?access_token=${token}`;
  }

  /** One answer: messages, or another frame. */
  async poll(): Promise<readonly Message[] | string> {
    const text = (await (await post(this.url("xhr"))).text()).trim();
    if (!text.startsWith("a")) return text;
    return (JSON.parse(text.slice(1)) as string[]).map((each) => JSON.parse(each) as Message);
  }

  /** Polls until there are so many. */
  async receive(count: number): Promise<readonly Message[]> {
    const messages: Message[] = [];
    while (messages.length < count) {
      const answer = await this.poll();
      if (typeof answer === "string") throw new Error(`Not messages: ${answer}`);
      messages.push(...answer);
    }
    return messages;
  }

  /** The status of the answer. */
  async send(...messages: readonly Message[]): Promise<number> {
    return (await post(this.url("xhr_send"), bodyOf(messages))).status;
  }

  /** The same with another token. */
  async sendAs(token: string, ...messages: readonly Message[]): Promise<number> {
    return (await post(this.url("xhr_send", token), bodyOf(messages))).status;
  }
}

function post(url: string, body?: string): Promise<Response> {
  const headers = { Connection: "close" };
  return fetch(url, { method: "POST", headers, ...(body === undefined ? {} : { body }) });
}

function bodyOf(messages: readonly Message[]): string {
  return JSON.stringify(messages.map((each) => JSON.stringify(each)));
}

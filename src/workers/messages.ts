/** What the supervisor and its workers say to each other, as plain data. */
import type { BaseConfig } from "../config/schema.ts";
import type { StartWord } from "../core/start-error.ts";
import type { Endpoint } from "../operations/endpoints.ts";

/** The ports are those that all workers share. */
export interface SharedPorts {
  /** Where workers pass requests on to each other. */
  readonly peersDirectory: string;
  /** No other worker answers on them. */
  readonly alone: boolean;
}

export type ToWorker =
  /** What to run, answering `hello`. */
  | {
      readonly type: "start";
      readonly number: number;
      readonly config: BaseConfig;
      /** Absent: it is a node with ports of its own. */
      readonly shared?: SharedPorts;
    }
  /** Drain and end. */
  | { readonly type: "stop" }
  /** Tell this process's metrics. */
  | { readonly type: "measure"; readonly request: number }
  /** The metrics of all, answering `scrape`. */
  | { readonly type: "scraped"; readonly request: number; readonly text: string };

export type FromWorker =
  /** It listens to messages. */
  | { readonly type: "hello" }
  | {
      readonly type: "ready";
      readonly clientsUrl: string;
      readonly apiUrl: string;
      readonly endpoints: readonly Endpoint[];
    }
  /** It could not start, in one clear sentence, and ends. */
  | { readonly type: "failed"; readonly message: string; readonly word: StartWord | undefined }
  | { readonly type: "measured"; readonly request: number; readonly text: string }
  /** Somebody asked this worker for the metrics of all. */
  | { readonly type: "scrape"; readonly request: number };

/** The server's log: one structured line per event on the standard output. */
import { pino, type DestinationStream, type Logger, type LoggerOptions } from "pino";

export type { Logger } from "pino";

export interface LogOptions {
  readonly level: "trace" | "debug" | "info" | "warn" | "error" | "fatal";
  /** `auto`: pretty on a terminal, JSON elsewhere. */
  readonly format: "auto" | "json" | "pretty";
  /** For tests; absent: the standard output. */
  readonly destination?: DestinationStream;
}

/** Writes synchronously, without worker threads, so that nothing is lost when the process ends. */
export function createLogger({ level, format, destination }: LogOptions): Logger {
  const options: LoggerOptions = { level, base: null, timestamp: pino.stdTimeFunctions.isoTime };
  const terminal = destination === undefined && process.stdout.isTTY;
  if (format === "json" || (format === "auto" && !terminal)) {
    return pino(options, destination ?? pino.destination({ fd: 1, sync: true }));
  }
  // Loaded for people alone: a service starts sooner without.
  const { PinoPretty } = require("pino-pretty") as typeof import("pino-pretty");
  const pretty = PinoPretty({
    colorize: terminal,
    sync: true,
    translateTime: "SYS:HH:MM:ss.l",
    ...(destination === undefined ? {} : { destination: destination as NodeJS.WritableStream }),
  });
  return pino(options, pretty);
}

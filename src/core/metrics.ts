/** What is counted as it happens. Gauges are read from the hubs when somebody asks. */

export type CounterName =
  | "connections_opened"
  | "connections_refused"
  | "commands"
  | "command_errors"
  | "disconnects"
  | "api_requests"
  | "publications"
  | "limits_hit"
  | "webhook_attempts"
  | "webhook_dead_letters"
  | "webhook_disabled";

export interface Metrics {
  /** Adds one. Labels have few values: never an id, a channel or a user. */
  count(name: CounterName, labels: Readonly<Record<string, string>>): void;
}

/** Rows of the admin API's lists, as far as the console shows them: `/openapi.json` has all of them. */

export interface NodeRow {
  readonly id: string;
  readonly uptime_ms: number;
  readonly connections: number;
  readonly users: number;
  readonly channels: number;
  readonly subscriptions: number;
  readonly process?: {
    readonly version: string;
    readonly host: string;
    readonly pid: number;
    readonly memory_bytes: number;
    readonly cpu: number;
    readonly loop_delay_ms: { readonly p50: number; readonly p99: number; readonly max: number };
    readonly engine_ms?: number;
    readonly per_second: Readonly<Record<string, number>>;
  };
}

export interface ChannelRow {
  readonly channel: string;
  readonly connections: number;
  readonly by_dialect: Readonly<Record<string, number>>;
}

export interface ClientRow {
  readonly connection: string;
  readonly user: string;
  readonly info?: unknown;
  readonly channel_info?: unknown;
}

export interface PublicationRow {
  readonly offset: number;
  readonly at: string;
  readonly data: unknown;
  readonly tags?: Readonly<Record<string, string>>;
  readonly publisher?: ClientRow;
}

export interface ConnectionRow {
  readonly connection: string;
  readonly node: string;
  readonly dialect: string;
  readonly user: string;
  readonly connected_at: string;
  readonly subscriptions: number;
  /** More than none: its client reads slowly. */
  readonly unsent_bytes: number;
  readonly channels: readonly { readonly channel: string; readonly space?: string }[];
}

export interface RefusalRow {
  readonly at: string;
  readonly node: string;
  readonly event: string;
  readonly dialect?: string;
  readonly detail: string;
  readonly times: number;
  readonly about: Readonly<Record<string, string | number | boolean>>;
}

export interface TaskRow {
  readonly task: string;
  readonly sockets: number;
  readonly completed: boolean;
  readonly retained: boolean;
  readonly last_message_at?: string;
  readonly expires_in_ms?: number;
}

export interface EndpointRow {
  readonly id: string;
  readonly organisation_id: string;
  readonly url: string;
  readonly disabled: boolean;
  readonly disabled_reason: string | null;
  readonly health: { readonly state: string; readonly consecutive_failures: number };
}

export interface AttemptRow {
  readonly id: string;
  readonly message_id: string;
  readonly number: number;
  readonly status: string;
  readonly response_status: number | null;
  readonly error: string | null;
  readonly duration_ms: number;
  readonly at: string;
  readonly next_attempt_at: string | null;
}

export interface DeadLetterRow {
  readonly id: string;
  readonly message_id: string;
  readonly event_type: string;
  readonly attempts: number;
  readonly reason: string;
  readonly failed_at: string;
}

export interface ReplayAnswer {
  readonly id: string;
  readonly status: string;
  readonly done: number;
  readonly total: number;
}

export interface SubscriberRow {
  readonly subscriber: string;
  readonly active: boolean;
  readonly has_password: boolean;
  readonly created_at: string;
}

export interface TokenRow {
  readonly key_id: string;
  readonly name: string;
  readonly active: boolean;
  readonly created_at: string;
  readonly expires_at: string | null;
}

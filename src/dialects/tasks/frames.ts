/** The one kind of frame that the server sends (task-tokens.md §5.5): four members, always all, in this order. */

/** Remaining time as `mm:ss`, rounded up to whole seconds; minutes have two digits or more. */
export function formatTicks(remainingMs: number): string {
  const seconds = Math.max(0, Math.ceil(remainingMs / 1000));
  return `${twoDigits(Math.floor(seconds / 60))}:${twoDigits(seconds % 60)}`;
}

function twoDigits(value: number): string {
  return value < 10 ? `0${value}` : `${value}`;
}

export function tickFrame(ticks: string): string {
  return `{"Error":"","Ticks":"${ticks}","Message":"","Completed":false}`;
}

/** The last frame of a connection that no message ends. `error` is a text of §5.6. */
export function errorFrame(error: string, ticks: string): string {
  return `{"Error":"${error}","Ticks":"${ticks}","Message":"","Completed":true}`;
}

export interface MessageFrame {
  readonly ticks: string;
  /** JSON text of a string. */
  readonly message: string;
  /** The connection's last frame. */
  readonly completed: boolean;
  /** For clients that asked for the extended form. */
  readonly extended?: { readonly seq: number; readonly replay: boolean };
}

export function messageFrame({ ticks, message, completed, extended }: MessageFrame): string {
  const more = extended === undefined ? "" : `,"Seq":${extended.seq},"Replay":${extended.replay}`;
  return `{"Error":"","Ticks":"${ticks}","Message":${message},"Completed":${completed}${more}}`;
}

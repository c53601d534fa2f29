/** Which part of the console is shown, and of what: in the page's address, so that it can be kept and sent. */
import { signal } from "@preact/signals";

export interface Place {
  readonly part: string;
  /** What it is about; empty: nothing in particular. */
  readonly about: string;
}

export const place = signal(placeOf(location.hash));
addEventListener("hashchange", () => (place.value = placeOf(location.hash)));

export function addressOf(part: string, about = ""): string {
  return about === "" ? `#${part}` : `#${part}/${encodeURIComponent(about.toWellFormed())}`;
}

function placeOf(hash: string): Place {
  const [part = "", about = ""] = hash.slice(1).split("/");
  try {
    return { part, about: decodeURIComponent(about) };
  } catch {
    return { part, about: "" };
  }
}

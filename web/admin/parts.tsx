/** Small things that many parts of the console show. */
import type { ComponentChildren } from "preact";
import { useState } from "preact/hooks";
import { messageOf } from "./api.ts";

/** A name of somebody's choosing: whole, however it is made, and never empty to the eye. */
export function Name({ text, href }: { text: string; href?: string }) {
  const shown = text === "" ? <span class="quiet">anonymous</span> : visible(text);
  const name = <bdi class="name">{shown}</bdi>;
  return href === undefined ? name : <a href={href}>{name}</a>;
}

/** Characters that are not seen, or that turn a text round, as they are written in JSON. */
export function visible(text: string): string {
  return text.replaceAll(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/gu, (char) => {
    const code = char.codePointAt(0) ?? 0;
    return `\\u${code.toString(16).padStart(4, "0")}`;
  });
}

export function Time({ at }: { at: string | null | undefined }) {
  if (at == null) return <span class="quiet">–</span>;
  return <time dateTime={at}>{new Date(at).toLocaleString()}</time>;
}

/** How many, by dialect. */
export function Counts({ counts }: { counts: Readonly<Record<string, number>> }) {
  const all = Object.entries(counts);
  return <>{all.map(([dialect, count]) => `${dialect} ${count}`).join(", ")}</>;
}

/** Characters of a payload that are shown. */
const JSON_CHARACTERS_MAX = 2_000;

export function Json({ value }: { value: unknown }) {
  const text = JSON.stringify(value) ?? "";
  const cut = text.length > JSON_CHARACTERS_MAX;
  return (
    <code class="json">
      {visible(text.slice(0, JSON_CHARACTERS_MAX).toWellFormed())}
      {cut && <span class="quiet">… of {text.length} characters</span>}
    </code>
  );
}

export interface ActionProps {
  readonly label: string;
  /** What is asked before it is done; absent: nothing. */
  readonly ask?: string;
  /** Answers what came of it. */
  readonly run: () => Promise<string>;
  readonly children?: ComponentChildren;
}

/** A button that does something, and says what came of it. */
export function Action({ label, ask, run, children = label }: ActionProps) {
  const [state, setState] = useState<"" | "asking" | "running">("");
  const [said, setSaid] = useState<{ text: string; bad: boolean }>({ text: "", bad: false });
  async function go(): Promise<void> {
    setState("running");
    try {
      setSaid({ text: await run(), bad: false });
    } catch (error) {
      setSaid({ text: messageOf(error), bad: true });
    }
    setState("");
  }
  return (
    <span class="action">
      {state === "asking" ? (
        <>
          <button class="main" onClick={() => void go()}>
            {ask}
          </button>
          <button onClick={() => setState("")}>Leave it</button>
        </>
      ) : (
        <button
          aria-label={label}
          disabled={state === "running"}
          onClick={() => (ask === undefined ? void go() : setState("asking"))}
        >
          {children}
        </button>
      )}
      <span role="status" class={said.bad ? "bad" : "good"}>
        {said.text}
      </span>
    </span>
  );
}

export interface FieldProps {
  readonly label: string;
  readonly value: string;
  readonly onInput: (value: string) => void;
  readonly hint?: string;
}

export function Field({ label, value, onInput, hint = "" }: FieldProps) {
  return (
    <label class="field">
      {label}
      <input
        value={value}
        placeholder={hint}
        autocomplete="off"
        spellcheck={false}
        onInput={(event) => onInput(event.currentTarget.value)}
      />
    </label>
  );
}

export interface ChoiceProps {
  readonly label: string;
  readonly value: string;
  /** By value. */
  readonly options: Readonly<Record<string, string>>;
  readonly onChange: (value: string) => void;
}

export function Choice({ label, value, options, onChange }: ChoiceProps) {
  return (
    <label class="field">
      {label}
      <select value={value} onChange={(event) => onChange(event.currentTarget.value)}>
        {Object.entries(options).map(([each, text]) => (
          <option key={each} value={each}>
            {text}
          </option>
        ))}
      </select>
    </label>
  );
}

/** Of a text field: nothing is no condition. */
export const given = (text: string): string | undefined => (text === "" ? undefined : text);

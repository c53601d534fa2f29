/** Connections: found by user, dialect or channel, and ended. */
import { useState } from "preact/hooks";
import type { Api, Query } from "./api.ts";
import { List } from "./list.tsx";
import { Action, Choice, Field, given, Name, Time } from "./parts.tsx";
import { addressOf, place } from "./route.ts";
import type { ConnectionRow } from "./rows.ts";

export function Connections({ api }: { api: Api }) {
  const [user, setUser] = useState(place.value.about);
  const [channel, setChannel] = useState("");
  const [dialect, setDialect] = useState("");
  const dialects = api.server.value?.dialects ?? [];
  const query = { user_prefix: given(user), channel: given(channel), dialect: given(dialect) };
  return (
    <section aria-label="Connections">
      <div class="row">
        <Field label="User begins with" value={user} onInput={setUser} />
        <Field label="In channel" value={channel} onInput={setChannel} />
        <Choice
          label="Dialect"
          value={dialect}
          options={{ "": "all", ...Object.fromEntries(dialects.map((each) => [each, each])) }}
          onChange={setDialect}
        />
      </div>
      <ConnectionList api={api} query={query} none="No connection is like that" />
    </section>
  );
}

export interface ConnectionListProps {
  readonly api: Api;
  readonly query: Query;
  readonly none: string;
}

export function ConnectionList({ api, query, none }: ConnectionListProps) {
  return (
    <List<ConnectionRow>
      {...{ api, path: "connections", query, none }}
      title="Connections"
      keyOf={({ connection }) => connection}
      columns={[
        { title: "Connection", of: ({ connection }) => <code>{connection}</code> },
        { title: "User", of: (row) => <User api={api} row={row} /> },
        { title: "Dialect", of: ({ dialect }) => dialect },
        { title: "Channels", of: (row) => <ChannelsOf row={row} /> },
        { title: "Unsent bytes", of: ({ unsent_bytes }) => unsent_bytes },
        { title: "Since", of: ({ connected_at }) => <Time at={connected_at} /> },
        {
          title: "End it",
          of: ({ connection }) => (
            <Kick
              api={api}
              whom={{ connection }}
              label={`Kick connection ${connection}`}
              short="Kick"
            />
          ),
        },
      ]}
    />
  );
}

function User({ api, row: { user } }: { api: Api; row: ConnectionRow }) {
  if (user === "") return <Name text="" />;
  return (
    <span class="row">
      <Name text={user} href={addressOf("connections", user)} />
      <Kick api={api} whom={{ user }} label="Kick all of the user’s connections" short="Kick all" />
    </span>
  );
}

function ChannelsOf({ row: { channels, subscriptions } }: { row: ConnectionRow }) {
  const more = subscriptions - channels.length;
  return (
    <>
      {channels.map(({ channel, space }) => (
        <span key={`${space ?? ""}/${channel}`} class="chip">
          {space === undefined ? (
            <Name text={channel} href={addressOf("channels", channel)} />
          ) : (
            <Name text={`${space}: ${channel}`} />
          )}
        </span>
      ))}
      {more > 0 && <span class="quiet">and {more} more</span>}
    </>
  );
}

export interface KickProps {
  readonly api: Api;
  readonly whom: Readonly<Record<string, string>>;
  readonly label: string;
  readonly short?: string;
}

interface Kicked {
  readonly matched: number;
  readonly nodes_answered: number;
  readonly nodes_asked: number;
}

export function Kick({ api, whom, label, short = label }: KickProps) {
  return (
    <Action
      label={label}
      ask="Kick now"
      run={async () => {
        const { matched, nodes_answered, nodes_asked } = await api.post<Kicked>("kick", whom);
        const late = nodes_answered < nodes_asked ? "; some nodes did not answer: do it again" : "";
        return `${matched} ended${late}`;
      }}
    >
      {short}
    </Action>
  );
}

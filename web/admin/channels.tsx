/** Channels with who is in them, and one channel's presence, history and subscribers. */
import { useState } from "preact/hooks";
import type { Api } from "./api.ts";
import { ConnectionList, Kick } from "./connections.tsx";
import { List } from "./list.tsx";
import { Choice, Counts, Field, given, Json, Name, Time } from "./parts.tsx";
import { addressOf, place } from "./route.ts";
import type { ChannelRow, ClientRow, PublicationRow } from "./rows.ts";

export function Channels({ api }: { api: Api }) {
  const { about } = place.value;
  return about === "" ? (
    <AllChannels api={api} />
  ) : (
    <OneChannel key={about} api={api} channel={about} />
  );
}

function AllChannels({ api }: { api: Api }) {
  const [text, setText] = useState("");
  const [by, setBy] = useState("prefix");
  return (
    <section aria-label="Channels">
      <div class="row">
        <Choice
          label="Find by"
          value={by}
          options={{ prefix: "beginning", pattern: "RE2 pattern" }}
          onChange={setBy}
        />
        <Field label="Channel" value={text} onInput={setText} />
      </div>
      <List<ChannelRow>
        {...{ api, path: "channels", query: { [by]: given(text) } }}
        title="Channels"
        none="No channel like that has a subscriber"
        keyOf={({ channel }) => channel}
        columns={[
          {
            title: "Channel",
            of: ({ channel }) => <Name text={channel} href={addressOf("channels", channel)} />,
          },
          { title: "Connections", of: ({ connections }) => connections },
          { title: "By dialect", of: ({ by_dialect }) => <Counts counts={by_dialect} /> },
        ]}
      />
    </section>
  );
}

function OneChannel({ api, channel }: { api: Api; channel: string }) {
  const query = { channel };
  return (
    <>
      <p>
        <a href={addressOf("channels")}>All channels</a>
      </p>
      <h2>
        <Name text={channel} />
      </h2>
      <p class="row">
        <a href={addressOf("push", channel)}>Push to it</a>
        <Kick api={api} whom={{ channel }} label="Kick everybody in it" />
      </p>
      <h3>Subscribed</h3>
      <ConnectionList api={api} query={query} none="Nobody is subscribed" />
      <h3>Presence</h3>
      <List<ClientRow>
        {...{ api, path: "channels/presence", query }}
        title="Presence"
        none="Nobody is present"
        keyOf={({ connection }) => connection}
        columns={[
          { title: "Connection", of: ({ connection }) => <code>{connection}</code> },
          { title: "User", of: ({ user }) => <Name text={user} /> },
          { title: "Info", of: ({ info }) => info !== undefined && <Json value={info} /> },
        ]}
      />
      <h3>History</h3>
      <List<PublicationRow>
        {...{ api, path: "channels/history", query }}
        title="History"
        none="Nothing is kept"
        keyOf={({ offset }) => `${offset}`}
        columns={[
          { title: "Offset", of: ({ offset }) => offset },
          { title: "At", of: ({ at }) => <Time at={at} /> },
          { title: "Data", of: ({ data }) => <Json value={data} /> },
          { title: "By", of: ({ publisher }) => publisher && <Name text={publisher.user} /> },
        ]}
      />
    </>
  );
}

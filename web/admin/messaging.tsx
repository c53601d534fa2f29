/** Messaging's subscribers, and one's connections and tokens, of which nobody sees the text. */
import type { Api } from "./api.ts";
import { ConnectionList, Kick } from "./connections.tsx";
import { List } from "./list.tsx";
import { Name, Time } from "./parts.tsx";
import { addressOf, place } from "./route.ts";
import type { SubscriberRow, TokenRow } from "./rows.ts";

export function Messaging({ api }: { api: Api }) {
  const { about: subscriber } = place.value;
  if (subscriber !== "") return <OneSubscriber api={api} subscriber={subscriber} />;
  return (
    <List<SubscriberRow>
      {...{ api, path: "messaging/subscribers", query: {} }}
      title="Subscribers"
      none="There is no subscriber"
      keyOf={(row) => row.subscriber}
      columns={[
        {
          title: "Subscriber",
          of: (row) => <Name text={row.subscriber} href={addressOf("messaging", row.subscriber)} />,
        },
        { title: "Active", of: ({ active }) => (active ? "yes" : "no") },
        { title: "Password", of: (row) => (row.has_password ? "yes" : "no") },
        { title: "Made", of: (row) => <Time at={row.created_at} /> },
      ]}
    />
  );
}

function OneSubscriber({ api, subscriber }: { api: Api; subscriber: string }) {
  return (
    <>
      <p>
        <a href={addressOf("messaging")}>All subscribers</a>
      </p>
      <h2>
        <Name text={subscriber} />
      </h2>
      <Kick api={api} whom={{ user: subscriber }} label="Kick all connections" />
      <h3>Connections</h3>
      <ConnectionList api={api} query={{ user: subscriber }} none="It is not connected" />
      <h3>Tokens</h3>
      <List<TokenRow>
        {...{ api, path: "messaging/tokens", query: { subscriber } }}
        title="Tokens"
        none="It has none"
        keyOf={(row) => row.key_id}
        columns={[
          { title: "Key", of: (row) => <code class="name">{row.key_id}</code> },
          { title: "Name", of: ({ name }) => (name === "" ? "" : <Name text={name} />) },
          { title: "Active", of: ({ active }) => (active ? "yes" : "no") },
          { title: "Made", of: (row) => <Time at={row.created_at} /> },
          { title: "Ends", of: (row) => <Time at={row.expires_at} /> },
        ]}
      />
    </>
  );
}

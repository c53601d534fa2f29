/** The last refusals with their reasons. */
import { useState } from "preact/hooks";
import type { Api } from "./api.ts";
import { List } from "./list.tsx";
import { Choice, given, Name, Time, visible } from "./parts.tsx";
import type { RefusalRow } from "./rows.ts";

export function Refusals({ api }: { api: Api }) {
  const [dialect, setDialect] = useState("");
  const dialects = ["admin", ...(api.server.value?.dialects ?? [])];
  return (
    <section aria-label="Refusals">
      <Choice
        label="Dialect"
        value={dialect}
        options={{ "": "all", ...Object.fromEntries(dialects.map((each) => [each, each])) }}
        onChange={setDialect}
      />
      <List<RefusalRow>
        {...{ api, path: "refusals", query: { dialect: given(dialect) } }}
        title="Refusals, the newest first"
        none="Nothing was refused lately"
        keyOf={(row) => JSON.stringify(row)}
        columns={[
          { title: "At", of: ({ at }) => <Time at={at} /> },
          { title: "Dialect", of: (row) => row.dialect },
          {
            title: "What",
            of: ({ event, times }) => (times > 1 ? `${event}, ${times} times` : event),
          },
          { title: "Why", of: ({ detail }) => <Name text={detail} /> },
          { title: "Further", of: ({ about }) => <Further about={about} /> },
        ]}
      />
    </section>
  );
}

function Further({ about }: { about: RefusalRow["about"] }) {
  return (
    <>
      {Object.entries(about).map(([name, value]) => (
        <span key={name} class="chip">
          <span class="quiet">{name}</span> <bdi>{visible(String(value))}</bdi>
        </span>
      ))}
    </>
  );
}

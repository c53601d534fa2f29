/** Webhook endpoints of all organisations; of one its attempts and dead letters, which can be sent again. */
import type { Api } from "./api.ts";
import { List } from "./list.tsx";
import { Action, Name, Time } from "./parts.tsx";
import { addressOf, place } from "./route.ts";
import type { AttemptRow, DeadLetterRow, EndpointRow, ReplayAnswer } from "./rows.ts";

export function Webhooks({ api }: { api: Api }) {
  const [organisation = "", endpoint = ""] = place.value.about.split(" ");
  if (endpoint !== "") return <OneEndpoint api={api} of={{ organisation, endpoint }} />;
  return (
    <List<EndpointRow>
      {...{ api, path: "webhooks/endpoints", query: {} }}
      title="Webhook endpoints"
      none="No organisation has an endpoint"
      keyOf={({ id }) => id}
      columns={[
        {
          title: "Endpoint",
          of: ({ id, organisation_id: of, url }) => (
            <Name text={url} href={addressOf("webhooks", `${of} ${id}`)} />
          ),
        },
        { title: "Organisation", of: (row) => <code>{row.organisation_id}</code> },
        { title: "State", of: stateOf },
      ]}
    />
  );
}

function stateOf({ disabled, disabled_reason: reason, health }: EndpointRow): string {
  if (disabled) return `disabled: ${reason ?? ""}`;
  const { state, consecutive_failures: failures } = health;
  return failures === 0 ? state : `${state}, ${failures} failures in a row`;
}

interface EndpointName {
  readonly organisation: string;
  readonly endpoint: string;
}

function OneEndpoint({ api, of }: { api: Api; of: EndpointName }) {
  const { organisation } = of;
  const replay = (choice: object) => async () => {
    const body = { organisation, ...choice };
    const { id, total } = await api.post<ReplayAnswer>("webhooks/dead-letters/replay", body);
    return total === 0 ? `Sent again (${id})` : `${total} are sent again (${id})`;
  };
  return (
    <>
      <p>
        <a href={addressOf("webhooks")}>All endpoints</a>
      </p>
      <h2>
        <code class="name">{of.endpoint}</code>
      </h2>
      <h3>Dead letters</h3>
      <Action label="Send all again" ask="Send them now" run={replay({ endpoint: of.endpoint })} />
      <List<DeadLetterRow>
        {...{ api, path: "webhooks/dead-letters", query: { ...of } }}
        title="Dead letters"
        none="Nothing was given up"
        keyOf={({ id }) => id}
        columns={[
          { title: "Failed", of: (row) => <Time at={row.failed_at} /> },
          { title: "Event", of: (row) => <Name text={row.event_type} /> },
          { title: "Message", of: (row) => <code class="name">{row.message_id}</code> },
          { title: "Why", of: ({ reason, attempts }) => `${reason}, after ${attempts} attempts` },
          {
            title: "Again",
            of: ({ id }) => (
              <Action label={`Send ${id} again`} run={replay({ ids: [id] })}>
                Send again
              </Action>
            ),
          },
        ]}
      />
      <h3>Attempts</h3>
      <List<AttemptRow>
        {...{ api, path: "webhooks/attempts", query: { ...of } }}
        title="Attempts"
        none="Nothing was sent"
        keyOf={({ id }) => id}
        columns={[
          { title: "At", of: ({ at }) => <Time at={at} /> },
          { title: "Message", of: (row) => <code class="name">{row.message_id}</code> },
          { title: "Result", of: resultOf },
          { title: "Took", of: (row) => `${Math.round(row.duration_ms)} ms` },
          { title: "Next", of: (row) => <Time at={row.next_attempt_at} /> },
        ]}
      />
    </>
  );
}

function resultOf({ number, status, response_status, error }: AttemptRow) {
  const why = response_status ?? error ?? "";
  return (
    <span class={status === "succeeded" ? "good" : "bad"}>{`${number}: ${status} ${why}`}</span>
  );
}

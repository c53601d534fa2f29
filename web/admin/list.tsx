/** A list of the admin API as a table, a page after the other. */
import type { ComponentChildren } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import { messageOf, type Api, type Query, type RowPage } from "./api.ts";

export interface Column<Row> {
  readonly title: string;
  readonly of: (row: Row) => ComponentChildren;
}

export interface ListProps<Row> {
  readonly api: Api;
  readonly path: string;
  readonly query: Query;
  /** What the table is called for those who do not see it. */
  readonly title: string;
  readonly columns: readonly Column<Row>[];
  readonly keyOf: (row: Row) => string;
  /** What is said where there is nothing. */
  readonly none: string;
}

/** Between two letters of somebody who types: a list is asked for once they are done. */
const TYPING_MS = 200;

interface Loaded<Row> {
  readonly rows: readonly Row[];
  readonly next: string | undefined;
  readonly trouble: string;
}

/** `more` loads the next page, `refresh` the first one anew; what came for another question is thrown away. */
function useList<Row>({ api, path, query }: Pick<ListProps<Row>, "api" | "path" | "query">) {
  const [loaded, setLoaded] = useState<Loaded<Row> | undefined>(undefined);
  const asked = useRef(0);
  const question = JSON.stringify([path, query, api.app.value]);

  async function load(before: readonly Row[], cursor: string | undefined): Promise<void> {
    const mine = (asked.current += 1);
    const answered = await ask(before, cursor);
    if (asked.current === mine) setLoaded(answered);
  }

  async function ask(before: readonly Row[], cursor: string | undefined): Promise<Loaded<Row>> {
    try {
      const { data, next } = await api.get<RowPage<Row>>(path, { ...query, cursor });
      return { rows: [...before, ...data], next, trouble: "" };
    } catch (error) {
      return { rows: before, next: cursor, trouble: messageOf(error) };
    }
  }

  useEffect(() => {
    const waitMs = asked.current === 0 ? 0 : TYPING_MS;
    // What is still under way is for another question.
    asked.current += 1;
    setLoaded(undefined);
    const timer = setTimeout(() => void load([], undefined), waitMs);
    return () => clearTimeout(timer);
  }, [question]);
  return {
    loaded,
    refresh: () => void load([], undefined),
    more: () => loaded && void load(loaded.rows, loaded.next),
  };
}

export function List<Row>(props: ListProps<Row>) {
  const { title, columns, keyOf, none } = props;
  const { loaded, refresh, more } = useList<Row>(props);
  const { rows = [], next, trouble = "" } = loaded ?? {};
  return (
    <div class="list">
      <div class="scroll" tabIndex={0} role="region" aria-label={title}>
        <table>
          <caption class="hidden">{title}</caption>
          <thead>
            <tr>
              {columns.map((column) => (
                <th key={column.title} scope="col">
                  {column.title}
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {rows.map((row) => (
              <tr key={keyOf(row)}>
                {columns.map((column) => (
                  <td key={column.title}>{column.of(row)}</td>
                ))}
              </tr>
            ))}
          </tbody>
        </table>
      </div>
      <div class="row">
        <p class="quiet grow" role="status">
          {loaded === undefined && "It is loading …"}
          {loaded !== undefined && trouble === "" && summaryOf(rows.length, next, none)}
          {trouble !== "" && <span class="bad">{trouble}</span>}
        </p>
        {next !== undefined && <button onClick={more}>More</button>}
        <button onClick={refresh}>Refresh</button>
      </div>
    </div>
  );
}

function summaryOf(count: number, next: string | undefined, none: string): string {
  if (count === 0 && next === undefined) return none;
  return next === undefined ? `${count} in all` : `The first ${count}`;
}

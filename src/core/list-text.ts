/** Texts of many things as one, made in slices. */
import type { Slices } from "./slices.ts";

/** Joining many short texts at once takes as long as making them. */
const CHUNK_ITEMS = 1_000;

/** The items' texts with commas between them. */
export async function listText<Item>(
  items: Iterable<Item>,
  textOf: (item: Item) => string,
  slices: Slices,
): Promise<string> {
  const chunks: string[] = [];
  let chunk: string[] = [];
  await slices.each(items, (item) => {
    if (chunk.push(textOf(item)) < CHUNK_ITEMS) return;
    chunks.push(chunk.join(","));
    chunk = [];
  });
  if (chunk.length > 0) chunks.push(chunk.join(","));
  return chunks.join(",");
}

/** Several processes' metrics in Prometheus's text format as one: each family once, with the samples of all. */

/**
 * Samples are kept as they are, so a label has to tell the processes apart: unlike a sum, such a series does not jump when one of
 * them starts anew or does not answer.
 */
export function mergeMetrics(texts: readonly string[]): string {
  const families = new Map<string, { readonly head: string[]; readonly samples: string[] }>();
  for (const text of texts) {
    let name = "";
    for (const line of text.split("\n")) {
      if (line === "") continue;
      const [, comment, of] = /^# (HELP|TYPE) (\S+)/.exec(line) ?? [];
      if (of !== undefined) name = of;
      const family = families.get(name) ?? { head: [], samples: [] };
      families.set(name, family);
      if (comment === undefined) family.samples.push(line);
      else if (!family.head.some((known) => known.startsWith(`# ${comment}`)))
        family.head.push(line);
    }
  }
  return [...families.values()]
    .map(({ head, samples }) => `${[...head, ...samples].join("\n")}\n`)
    .join("\n");
}

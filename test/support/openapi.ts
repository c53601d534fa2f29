/** The OpenAPI document as the server answers it. */

/** With what each reference names in its place. */
export async function readOpenApi<Document>(apiUrl: string): Promise<Document> {
  const document = await fetchOpenApi(apiUrl);
  return resolved(document, document) as Document;
}

export async function fetchOpenApi(apiUrl: string): Promise<Record<string, unknown>> {
  return (await (await fetch(`${apiUrl}/openapi.json`)).json()) as Record<string, unknown>;
}

function resolved(value: unknown, document: unknown): unknown {
  if (Array.isArray(value)) return value.map((item) => resolved(item, document));
  if (typeof value !== "object" || value === null) return value;
  if ("$ref" in value) return resolved(named(String(value.$ref), document), document);
  const members = Object.entries(value).map(([name, member]) => [name, resolved(member, document)]);
  return Object.fromEntries(members);
}

function named(reference: string, document: unknown): unknown {
  const [root, ...steps] = reference.split("/");
  let found = root === "#" ? document : undefined;
  for (const step of steps) found = (found as Record<string, unknown> | undefined)?.[step];
  if (found === undefined) throw new Error(`"${reference}" names nothing`);
  return found;
}

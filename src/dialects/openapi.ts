/** The OpenAPI 3.1 document of everything that the server answers over HTTP, put together from the dialects' parts. */
import type { OpenApiPart } from "./dialect.ts";
import { mapOperations, withComponents, type Paths } from "./openapi-components.ts";
import { withExamples } from "./openapi-examples.ts";

export function openApiDocument(parts: readonly OpenApiPart[], version: string): object {
  const shown = parts.map(({ paths, examples }) =>
    mapOperations(paths, (operation) => withExamples(operation, examples)),
  );
  const { paths, components } = withComponents(Object.assign({}, OPERATIONS, ...shown) as Paths);
  return {
    openapi: "3.1.0",
    info: {
      title: "Carillon",
      version,
      description: "What servers and operators call, on the `api` listener.",
      license: { name: "MIT", identifier: "MIT" },
    },
    servers: [{ url: "/", description: "Where this document is" }],
    tags: [...new Map(parts.map(({ tag, description }) => [tag, description]))].map(
      ([name, description]) => ({ name, description }),
    ),
    paths,
    components: {
      ...components,
      securitySchemes: {
        apiKey: { type: "apiKey", in: "header", name: "X-API-Key" },
        bearer: { type: "http", scheme: "bearer" },
      },
    },
  };
}

const OTHER_METHOD = { description: "Another method than GET and HEAD" };

function jsonAnswer(description: string, example: object) {
  return { description, content: { "application/json": { schema: { type: "object" }, example } } };
}

const OPERATIONS = {
  "/health": {
    get: {
      operationId: "health",
      summary: "Whether the process runs",
      security: [],
      responses: { 200: jsonAnswer("It does", {}), 405: OTHER_METHOD },
    },
  },
  "/ready": {
    get: {
      operationId: "ready",
      summary: "Whether it can serve",
      security: [],
      responses: {
        200: jsonAnswer("It can", { ready: true }),
        405: OTHER_METHOD,
        503: jsonAnswer("It cannot, and why: shutting down, or the engine is away", {
          ready: false,
          reason: "The server is shutting down",
        }),
      },
    },
  },
  "/metrics": {
    get: {
      operationId: "metrics",
      summary: "Metrics in Prometheus's text format",
      security: [{}, { apiKey: [] }, { bearer: [] }],
      responses: {
        200: {
          description: "The metrics",
          content: {
            "text/plain": { schema: { type: "string" }, example: "carillon_lagging_sockets 0\n" },
          },
        },
        401: { description: "Not on loopback, and no API key" },
        403: { description: "A page of another site calls without a key" },
        405: OTHER_METHOD,
      },
    },
  },
};

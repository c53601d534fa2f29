/** The OpenAPI 3.1 document of everything that the server answers over HTTP, put together from the dialects' parts. */
import type { OpenApiPart } from "./dialect.ts";

export function openApiDocument(parts: readonly OpenApiPart[], version: string): object {
  return {
    openapi: "3.1.0",
    info: {
      title: "Carillon",
      version,
      description: "What servers and operators call, on the `api` listener.",
      license: { name: "MIT", identifier: "MIT" },
    },
    servers: [{ url: "/", description: "Where this document is" }],
    tags: parts.map(({ tag, description }) => ({ name: tag, description })),
    paths: Object.assign({}, OPERATIONS, ...parts.map(({ paths }) => paths)) as object,
    components: {
      securitySchemes: {
        apiKey: { type: "apiKey", in: "header", name: "X-API-Key" },
        bearer: { type: "http", scheme: "bearer" },
      },
    },
  };
}

const OTHER_METHOD = { description: "Another method than GET and HEAD" };

const OPERATIONS = {
  "/health": {
    get: {
      operationId: "health",
      summary: "Whether the process runs",
      security: [],
      responses: { 200: { description: "It does" }, 405: OTHER_METHOD },
    },
  },
  "/ready": {
    get: {
      operationId: "ready",
      summary: "Whether it can serve",
      security: [],
      responses: {
        200: { description: "It can" },
        405: OTHER_METHOD,
        503: { description: "It cannot, and why: shutting down, or the engine is away" },
      },
    },
  },
  "/metrics": {
    get: {
      operationId: "metrics",
      summary: "Metrics in Prometheus's text format",
      security: [{}, { apiKey: [] }, { bearer: [] }],
      responses: {
        200: { description: "The metrics" },
        401: { description: "Not on loopback, and no API key" },
        403: { description: "A page of another site calls without a key" },
        405: OTHER_METHOD,
      },
    },
  },
};

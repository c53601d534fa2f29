/** The OpenAPI 3.1 document of everything that the server answers over HTTP, put together from the dialects' parts. */
import type { Dialect } from "./dialect.ts";

export function openApiDocument(dialects: readonly Dialect[], version: string): object {
  const parts = dialects.flatMap(({ openapi }) => openapi ?? []);
  return {
    openapi: "3.1.0",
    info: {
      title: "Carillon",
      version,
      description: "What servers and operators call, on the `api` listener.",
      license: { name: "MIT", identifier: "MIT" },
    },
    tags: parts.map(({ tag }) => ({ name: tag })),
    paths: Object.assign({}, OPERATIONS, ...parts.map(({ paths }) => paths)) as object,
    components: {
      securitySchemes: {
        apiKey: { type: "apiKey", in: "header", name: "X-API-Key" },
        bearer: { type: "http", scheme: "bearer" },
      },
    },
  };
}

const OPERATIONS = {
  "/health": {
    get: {
      operationId: "health",
      summary: "Whether the process runs",
      responses: { 200: { description: "It does" } },
    },
  },
  "/ready": {
    get: {
      operationId: "ready",
      summary: "Whether it can serve",
      responses: {
        200: { description: "It can" },
        503: { description: "It cannot, and why: shutting down, or the engine is away" },
      },
    },
  },
  "/metrics": {
    get: {
      operationId: "metrics",
      summary: "Metrics in Prometheus's text format",
      responses: {
        200: { description: "The metrics" },
        401: { description: "Not on loopback, and no API key" },
      },
    },
  },
};

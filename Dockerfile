# Carillon as an image. It needs a configuration of your own: development mode listens on loopback addresses only.
#   docker build -t carillon .
#   docker run -p 8000:8000 -v ./carillon.toml:/app/carillon.toml:ro -v carillon-data:/data carillon
FROM node:22-slim AS build

WORKDIR /app
COPY package.json package-lock.json ./
RUN npm ci
COPY src src
COPY clients clients
COPY web web
COPY scripts scripts
RUN node_modules/.bin/bun scripts/build.ts

FROM node:22-slim

WORKDIR /app
COPY package.json package-lock.json ./
RUN npm ci --omit=dev && npm cache clean --force
COPY bin bin
COPY --from=build /app/lib lib

# The embedded engine's file and the keys that the server makes.
RUN mkdir /data && chown node:node /data
VOLUME /data
USER node
ENV CARILLON_DATA_DIR=/data CARILLON_CLIENTS_HOST=0.0.0.0 CARILLON_API_HOST=0.0.0.0
EXPOSE 8000 9000

# Whether the process answers; /ready says whether it can serve, which a restart of the container would not mend. It asks the port that
# CARILLON_API_PORT names: a file that says another one, or TLS for `api`, needs a health check of its own.
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s --retries=3 \
  CMD ["node", "--eval", "fetch(`http://127.0.0.1:${process.env.CARILLON_API_PORT || 9000}/health`).then(({ ok }) => process.exit(ok ? 0 : 1), () => process.exit(1))"]

ENTRYPOINT ["bin/carillon.js"]
CMD ["serve"]

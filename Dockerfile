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

ENTRYPOINT ["bin/carillon.js"]
CMD ["serve"]

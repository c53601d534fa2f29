/**
 * The floor under an HTTP publish: `node:http` reading a body and answering it, nothing between; with `REDIS_URL`, publishing it there
 * first. Prints its port.
 */
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { RedisClient } from "bun";

const url = process.env["REDIS_URL"];
const redis = url === undefined ? undefined : new RedisClient(url);

const server = createServer((request, response) => {
  const chunks: Buffer[] = [];
  request.on("data", (chunk: Buffer) => chunks.push(chunk));
  request.on("end", () => {
    const answer = () => {
      response.writeHead(200, { "Content-Type": "application/json", "Content-Length": 13 });
      response.end('{"result":{}}');
    };
    if (redis === undefined) answer();
    else void redis.publish("bench", Buffer.concat(chunks).toString()).then(answer);
  });
});
server.listen(0, "127.0.0.1", () => {
  console.log(JSON.stringify({ port: (server.address() as AddressInfo).port }));
});

// An OAuth 2.0 server, npm's oidc-provider, and an API that takes its tokens.
//
//     node server.mjs CLIENTS.json
//
// The file holds the clients, as RFC 7591 §2 describes one. Prints its port.
// GET /api answers a caller with a good token, and says what the server knows
// of it; DELETE /tokens takes back every token that the API has seen.

import { readFileSync } from "node:fs";
import { createServer } from "node:http";

import Provider from "oidc-provider";

const clients = JSON.parse(readFileSync(process.argv[2], "utf8"));
const seen = new Set();
const server = createServer();
await new Promise((ready) => server.listen(0, "127.0.0.1", ready));
const issuer = `http://127.0.0.1:${server.address().port}`;

const provider = new Provider(issuer, {
  clients,
  scopes: ["read", "write", "admin"],
  features: {
    clientCredentials: { enabled: true },
    devInteractions: { enabled: false },
    resourceIndicators: {
      enabled: true,
      defaultResource: () => undefined,
      getResourceServerInfo: (_, resource) => ({ scope: "read write admin", audience: resource, accessTokenTTL: 600 }),
    },
  },
  clientAuthMethods: ["client_secret_basic", "client_secret_post", "private_key_jwt"],
  ttl: { ClientCredentials: 600 },
});

async function api(request, response) {
  const value = /^Bearer (.+)$/.exec(request.headers.authorization ?? "")?.[1];
  const token = value && (await provider.ClientCredentials.find(value));
  if (!token || token.isExpired) {
    response.writeHead(401, { "content-type": "application/json" }).end('{"error":"invalid_token"}');
    return;
  }
  seen.add(token);
  const { clientId, scope, aud } = token;
  response.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify({ clientId, scope, aud }));
}

async function forget(response) {
  await Promise.all([...seen].map((token) => token.destroy()));
  seen.clear();
  response.writeHead(204).end();
}

const callback = provider.callback();
let granted = 0;
server.on("request", (request, response) => {
  if (request.method === "POST" && request.url === "/token") granted += 1;
  if (request.url === "/granted") return response.end(String(granted));
  if (request.url === "/api") return api(request, response);
  if (request.method === "DELETE" && request.url === "/tokens") return forget(response);
  return callback(request, response);
});
console.log(`port ${server.address().port}`);

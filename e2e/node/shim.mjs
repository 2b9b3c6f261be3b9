// Adds an Authorization header to every request, because the conformance suite can't send one. The
// token comes from a real issuer and is asked for again before it ends. Everything else, Host and
// Origin included, goes through as it came.
// Usage: node shim.mjs TARGET_ORIGIN ISSUER CLIENT RESOURCE PORT. It prints its origin.
import http from 'node:http';

const [target, issuer, client, resource, port] = process.argv.slice(2);
const { hostname, port: targetPort } = new URL(target);

let held = { token: '', until: 0 };

async function token() {
  if (Date.now() < held.until) return held.token;
  const response = await fetch(`${issuer}/token`, {
    method: 'POST',
    headers: { authorization: `Basic ${btoa(`${client}:${client}-secret`)}` },
    body: new URLSearchParams({ grant_type: 'client_credentials', scope: 'mcp', resource }),
  });
  const answer = await response.json();
  if (!response.ok) throw new Error(JSON.stringify(answer));
  // Half of its life, so that a long run meets more than one token.
  held = { token: answer.access_token, until: Date.now() + answer.expires_in * 500 };
  return held.token;
}

const server = http.createServer(async (request, response) => {
  try {
    const headers = [...request.rawHeaders, 'Authorization', `Bearer ${await token()}`];
    const onward = http.request({
      hostname,
      port: targetPort,
      method: request.method,
      path: request.url,
      headers,
      setHost: false,
    });
    onward.on('response', (answer) => {
      response.writeHead(answer.statusCode, answer.rawHeaders);
      response.flushHeaders();
      answer.pipe(response);
    });
    onward.on('error', () => response.destroy());
    response.on('close', () => onward.destroy());
    request.pipe(onward);
  } catch (fault) {
    response.writeHead(599).end(String(fault));
  }
});

await token();
server.listen(Number(port), '127.0.0.1', () => {
  console.log(`http://127.0.0.1:${server.address().port}`);
});

// The Compose file's three services on one loopback, under the names that they have there, and a client.
// Its own network namespace is around it. Usage: node compose.mjs PLAN, a JSON file of each one's command.
// It prints what the client and the health check saw, as JSON.
import { spawn, spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';

const plan = JSON.parse(readFileSync(process.argv[2], 'utf8'));
const resource = 'http://127.0.0.1:8080/c/sample/mcp';
const started = [];
let log = '';

function start([program, ...args]) {
  const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'] });
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (text) => (log += text));
  started.push(child);
}

function health() {
  const [program, ...args] = plan.health;
  const said = spawnSync(program, args, { encoding: 'utf8' });
  return { code: said.status, said: said.stdout + said.stderr };
}

// Asks until the answer is good, for at most 30 s.
async function until(what, good) {
  const end = Date.now() + 30_000;
  for (;;) {
    const seen = await Promise.resolve().then(what).catch((fault) => fault);
    if (good(seen)) return seen;
    if (Date.now() > end) throw new Error(`${JSON.stringify(seen)} ${seen}`);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

async function token(who) {
  const answer = await fetch('http://127.0.0.1:9400/token', {
    method: 'POST',
    headers: { authorization: `Basic ${btoa(`${who}:${plan.secret}`)}` },
    body: new URLSearchParams({ grant_type: 'client_credentials', scope: 'mcp', resource }),
  });
  return (await answer.json()).access_token;
}

async function post(bearer, session, message) {
  const headers = {
    'content-type': 'application/json',
    accept: 'application/json, text/event-stream',
    ...(bearer && { authorization: `Bearer ${bearer}` }),
    ...(session && { 'mcp-session-id': session, 'mcp-protocol-version': '2025-11-25' }),
  };
  const body = JSON.stringify({ jsonrpc: '2.0', ...message });
  const answer = await fetch(resource, { method: 'POST', headers, body });
  return { status: answer.status, session: answer.headers.get('mcp-session-id'), text: await answer.text() };
}

async function call(who) {
  const bearer = await token(who);
  const hello = { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: { name: 'check', version: '1' } };
  const opened = await post(bearer, null, { id: 1, method: 'initialize', params: hello });
  if (opened.status !== 200) return { opened };
  await post(bearer, opened.session, { method: 'notifications/initialized' });
  const ask = (id, method, params) => post(bearer, opened.session, { id, method, params });
  return {
    tools: await ask(2, 'tools/list', {}),
    echo: await ask(3, 'tools/call', { name: 'echo', arguments: { message: 'through the gate' } }),
    hidden: await ask(4, 'tools/call', { name: 'get-env', arguments: {} }),
  };
}

let failed = 0;
try {
  start(plan.issuer);
  start(plan.server);
  await until(() => fetch('http://127.0.0.1:9400/.well-known/openid-configuration'), (seen) => seen.ok);
  await until(() => fetch('http://server:3001/mcp'), (seen) => seen.status);
  const before = health();
  start(plan.gateway);
  const ready = await until(health, (seen) => seen.code === 0);
  const stranger = await post(null, null, { id: 1, method: 'tools/list' });
  console.log(JSON.stringify({ before, ready, stranger, ann: await call('ann'), ben: await call('ben'), log }));
} catch (fault) {
  console.log(JSON.stringify({ fault: String(fault), log }));
  failed = 1;
} finally {
  for (const child of started) child.kill('SIGKILL');
}
process.exit(failed);

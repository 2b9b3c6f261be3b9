// A real OIDC provider for the tests: oidc-provider with client credentials, group claims, RFC 8707
// audiences and keys in a file. Restart it with `rotate` for a new key beside the last one, which is
// published until the next rotation, as providers do.
// KEY_FILE.groups, where there is one, says who is in other groups by now.
// People log in with a name and no password; the client `pages` may send them here from the origin in
// PAGES_ORIGIN. CLIENTS holds further clients as JSON; /given says how many tokens it gave, /told what it
// told whom: how many refreshes, revocations and introspections there were, and every token. While there is a file
// KEY_FILE.hold, refreshes are done and their answers kept back. Usage: node issuer.mjs PORT KEY_FILE [rotate]. It prints its issuer URL once it listens.
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { generateKeyPairSync, randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import Provider from 'oidc-provider';
import { exchange } from './exchange.mjs';

const [port, keyFile, rotate] = process.argv.slice(2);

// Who may ask for tokens: groups, and how long a token lives, in seconds.
const people = {
  engineer: { groups: ['staff', 'engineering'], ttl: 300 },
  contractor: { groups: ['contractors'], ttl: 300 },
  brief: { groups: ['staff'], ttl: 5 },
  short: { groups: ['staff'], ttl: 20 },
  lasting: { groups: ['staff'], ttl: 21 * 24 * 3600 },
  auditor: { groups: ['audit'], ttl: 300 },
  'brief-auditor': { groups: ['audit'], ttl: 5 },
  operator: { groups: ['platform'], ttl: 300 },
  nobody: { groups: undefined, ttl: 300 },
  courier: { groups: ['staff'], ttl: 300, format: 'opaque' },
  porter: { groups: ['staff'], ttl: 300, format: 'opaque' },
};

function groups(who) {
  const file = `${keyFile}.groups`;
  const moved = existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')) : {};
  return moved[who] ?? people[who]?.groups;
}

function keys() {
  const held = existsSync(keyFile) ? JSON.parse(readFileSync(keyFile, 'utf8')) : { keys: [] };
  if (held.keys.length && !rotate) return held;
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const key = { ...privateKey.export({ format: 'jwk' }), kid: randomUUID(), alg: 'RS256', use: 'sig' };
  const set = { keys: [key, ...held.keys.slice(0, 1)] };
  writeFileSync(keyFile, JSON.stringify(set), { mode: 0o600 });
  return set;
}

const clients = Object.keys(people).map((client_id) => ({
  client_id,
  client_secret: `${client_id}-secret`,
  grant_types: ['client_credentials'],
  redirect_uris: [],
  response_types: [],
}));

clients.push(...JSON.parse(process.env.CLIENTS ?? '[]'));

const pages = process.env.PAGES_ORIGIN;
if (pages) {
  clients.push({
    client_id: 'pages',
    client_secret: 'pages-secret',
    grant_types: ['authorization_code'],
    response_types: ['code'],
    redirect_uris: [`${pages}/login/callback`],
    token_endpoint_auth_method: 'client_secret_post',
  });
}

const held = keys();
const provider = new Provider(`http://127.0.0.1:${port}`, {
  clients,
  jwks: held,
  scopes: ['openid', 'mcp', 'offline_access'],
  // A stolen refresh token is found out when it is used a second time (RFC 9700 §4.14.2).
  rotateRefreshToken: true,
  findAccount: async (ctx, id) => ({ accountId: id, claims: async () => ({ sub: id }) }),
  interactions: { url: (ctx, interaction) => `/interaction/${interaction.uid}` },
  cookies: { keys: ['for tests'] },
  // It tells of logouts on this machine too, which its own dispatcher does not dial.
  fetch: (url, { dispatcher, ...options }) => fetch(url, options),
  async extraTokenClaims(ctx, token) {
    return { groups: groups(token.accountId ?? token.clientId) };
  },
  features: {
    devInteractions: { enabled: false },
    clientCredentials: { enabled: true },
    revocation: { enabled: true },
    backchannelLogout: { enabled: true },
    introspection: { enabled: true, allowedPolicy: () => true },
    resourceIndicators: {
      enabled: true,
      async getResourceServerInfo(ctx, resource, client) {
        return {
          scope: 'mcp',
          audience: resource,
          accessTokenFormat: people[client.clientId]?.format ?? 'jwt',
          accessTokenTTL: people[ctx.oidc.account?.accountId ?? client.clientId]?.ttl ?? 300,
          jwt: { sign: { alg: 'RS256' } },
        };
      },
    },
  },
});

exchange(provider, {
  keys: held,
  ttl: (who) => people[who]?.ttl ?? 300,
  member: (who) => groups(who) !== undefined,
});

let given = 0;
provider.on('grant.success', () => { given += 1; });
provider.use(async (ctx, next) => {
  if (ctx.path !== '/given') return next();
  ctx.body = String(given);
});

const told = { refreshed: 0, revoked: 0, introspected: 0, logouts: [], tokens: [] };
provider.on('grant.revoked', () => { told.revoked += 1; });
provider.on('backchannel.success', () => { told.logouts.push('taken'); });
provider.on('backchannel.error', (ctx, fault) => { told.logouts.push(String(fault)); });
provider.use(async (ctx, next) => {
  if (ctx.path === '/told') {
    ctx.body = told;
    return;
  }
  if (ctx.path === '/token/introspection') told.introspected += 1;
  await next();
  if (ctx.path !== '/token' || ctx.status !== 200) return;
  const { access_token, refresh_token } = ctx.body;
  told.tokens.push(access_token, ...[refresh_token].flat().filter(Boolean));
  if (ctx.oidc.params.grant_type !== 'refresh_token') return;
  told.refreshed += 1;
  while (existsSync(`${keyFile}.hold`)) await sleep(20);
});

// Asks who somebody is, and grants what the client asked for.
provider.use(async (ctx, next) => {
  if (!ctx.path.startsWith('/interaction/')) return next();
  const { prompt, params, session } = await provider.interactionDetails(ctx.req, ctx.res);
  if (prompt.name === 'login' && ctx.method === 'GET') {
    ctx.type = 'html';
    ctx.body = '<form method="post"><label>Name <input name="who"></label><button>Log in</button></form>';
    return;
  }
  let result;
  if (prompt.name === 'login') {
    let body = '';
    for await (const chunk of ctx.req) body += chunk;
    result = { login: { accountId: new URLSearchParams(body).get('who') } };
  } else {
    const grant = new provider.Grant({ accountId: session.accountId, clientId: params.client_id });
    grant.addOIDCScope('openid mcp offline_access');
    for (const resource of [params.resource].flat()) grant.addResourceScope(resource, 'mcp');
    result = { consent: { grantId: await grant.save() } };
  }
  await provider.interactionFinished(ctx.req, ctx.res, result, { mergeWithLastSubmission: true });
  ctx.respond = false;
});

provider.listen(Number(port), '127.0.0.1', () => console.log(`http://127.0.0.1:${port}`));

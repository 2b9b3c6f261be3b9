// A real OIDC provider for the tests: oidc-provider with client credentials, group claims, RFC 8707
// audiences and keys in a file. Restart it with `rotate` for a new key beside the last one, which is
// published until the next rotation, as providers do.
// Usage: node issuer.mjs PORT KEY_FILE [rotate]. It prints its issuer URL once it listens.
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { generateKeyPairSync, randomUUID } from 'node:crypto';
import Provider from 'oidc-provider';

const [port, keyFile, rotate] = process.argv.slice(2);

// Who may ask for tokens: groups, and how long a token lives, in seconds.
const people = {
  engineer: { groups: ['staff', 'engineering'], ttl: 300 },
  contractor: { groups: ['contractors'], ttl: 300 },
  brief: { groups: ['staff'], ttl: 5 },
  lasting: { groups: ['staff'], ttl: 21 * 24 * 3600 },
  auditor: { groups: ['audit'], ttl: 300 },
  operator: { groups: ['platform'], ttl: 300 },
  nobody: { groups: undefined, ttl: 300 },
};

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

const provider = new Provider(`http://127.0.0.1:${port}`, {
  clients,
  jwks: keys(),
  scopes: ['mcp'],
  async extraTokenClaims(ctx, token) {
    return { groups: people[token.clientId]?.groups };
  },
  features: {
    devInteractions: { enabled: false },
    clientCredentials: { enabled: true },
    resourceIndicators: {
      enabled: true,
      async getResourceServerInfo(ctx, resource, client) {
        return {
          scope: 'mcp',
          audience: resource,
          accessTokenFormat: 'jwt',
          accessTokenTTL: people[client.clientId].ttl,
          jwt: { sign: { alg: 'RS256' } },
        };
      },
    },
  },
});

provider.listen(Number(port), '127.0.0.1', () => console.log(`http://127.0.0.1:${port}`));

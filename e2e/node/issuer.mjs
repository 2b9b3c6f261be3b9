// A real OIDC provider for the tests: oidc-provider with client credentials, group claims, RFC 8707
// audiences and keys in a file. Remove the file and restart it to rotate the keys.
// Usage: node issuer.mjs PORT KEY_FILE. It prints its issuer URL once it listens.
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { generateKeyPairSync, randomUUID } from 'node:crypto';
import Provider from 'oidc-provider';

const [port, keyFile] = process.argv.slice(2);

// Who may ask for tokens: groups, and how long a token lives, in seconds.
const people = {
  engineer: { groups: ['staff', 'engineering'], ttl: 300 },
  contractor: { groups: ['contractors'], ttl: 300 },
  brief: { groups: ['staff'], ttl: 5 },
  lasting: { groups: ['staff'], ttl: 21 * 24 * 3600 },
  nobody: { groups: undefined, ttl: 300 },
};

function keys() {
  if (existsSync(keyFile)) return JSON.parse(readFileSync(keyFile, 'utf8'));
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const key = { ...privateKey.export({ format: 'jwk' }), kid: randomUUID(), alg: 'RS256', use: 'sig' };
  writeFileSync(keyFile, JSON.stringify({ keys: [key] }), { mode: 0o600 });
  return { keys: [key] };
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
